import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test's own, by openssl. */
export class TestAuthority {
  readonly directory = mkdtempSync(join(tmpdir(), 'python3-test-ca-'));
  readonly ca: string;
  private readonly key: string;

  constructor() {
    ({ cert: this.ca, key: this.key } = this.paths('ca'));
    this.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=test CA', '-keyout', this.key, '-out', this.ca); // prettier-ignore
  }

  /** `names` as in a subjectAltName: `IP:127.0.0.1`, `DNS:redis.plant`. */
  issue(name: string, names: string): Certificate {
    const { cert, key } = this.paths(name);
    const request = join(this.directory, `${name}.csr`);
    const extensions = join(this.directory, `${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    this.openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-keyout', key, '-out', request); // prettier-ignore
    this.openssl('x509', '-req', '-in', request, '-CA', this.ca, '-CAkey', this.key, '-CAcreateserial', '-days', '2', '-extfile', extensions, '-out', cert); // prettier-ignore
    return { cert, key };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private paths(name: string): Certificate {
    return { cert: join(this.directory, `${name}.crt`), key: join(this.directory, `${name}.key`) };
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
