import { chmodSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Folders of a test, which others can look into, until `remove`. */
export class TestFolders {
  private readonly folders: string[] = [];

  make(): string {
    // Short: sockets in it have paths of 107 bytes at most.
    const folder = mkdtempSync(join(tmpdir(), 'p3f-'));
    chmodSync(folder, 0o755);
    this.folders.push(folder);
    return folder;
  }

  /** For `PATH`: all that a worker node runs by name, and no bubblewrap. Users are what keeps jobs apart from the host then. */
  makePathWithoutBubblewrap(): string {
    const folder = this.make();
    for (const name of ['mkfifo', 'find', 'chmod']) symlinkSync(`/usr/bin/${name}`, join(folder, name));
    return folder;
  }

  remove(): void {
    for (const folder of this.folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}
