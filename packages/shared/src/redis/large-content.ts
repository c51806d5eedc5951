import type { Redis, Result } from 'ioredis';

/**
 * Large content goes its own way. What stands on a connection before a renewal of a lock makes that lock older, so nothing
 * large travels where locks are renewed, callers are answered or jobs are cancelled:
 *
 *   content ──pieces, a few at a time──▶ connection of its own ──▶ staged: a hash of pieces under a name nobody else has
 *   small script (accept, finish) ──▶ the other connection ──▶ are all pieces there? RENAME to its place, with all else
 *
 * Until that script nothing refers to what is staged. What a dead process staged expires. A failover in between may lose
 * pieces: the script counts them and does nothing, and the content is staged anew. Whether it is the right content is the
 * seal's matter, as ever.
 */
export const PIECE_BYTES = 131_072;

/** How long staged content lives after its last piece. */
const STAGED_MS = 60_000;

/** Over all who write and read: a command then waits for half a megabyte at most, however much there is to do. */
const MOST_UNDER_WAY = 4;

/** More pieces than any limit allows are not ours. */
const MOST_PIECES = 8_192;

export const piecesOf = (bytes: number): number => Math.ceil(bytes / PIECE_BYTES);

/** KEYS[1] staged; ARGV: number of the piece, the piece, how long it lives (ms). Asked again it does the same. */
const STAGE_SCRIPT = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`;

/**
 * `isWhole(staged, bytes)`: whether all pieces of content of that size are there. A part of scripts.
 */
export const IS_WHOLE = `
local function isWhole(staged, bytes)
  return redis.pcall('HLEN', staged) == math.ceil(tonumber(bytes) / ${PIECE_BYTES})
end
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    stagePiece(staged: string, piece: number, content: Buffer, keepMs: number): Result<number, Context>;
  }
}

/** Content that stands staged, for the script that puts it in its place. */
export interface StagedContent {
  readonly key: string;
  readonly bytes: number;
}

/** Writes and reads large content in pieces, over a connection that has no other use but what may be late, too. */
export class LargeContent {
  private readonly waiting: (() => void)[] = [];
  private underWay = 0;

  constructor(readonly redis: Redis) {
    redis.defineCommand('stagePiece', { numberOfKeys: 1, lua: STAGE_SCRIPT });
  }

  /** Rejects with what Redis, or the connection, answered to the first piece that failed. */
  async stage(key: string, content: Buffer): Promise<StagedContent> {
    const count = piecesOf(content.length);
    await this.inPieces(count, async (piece) => {
      const part = content.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
      await this.redis.stagePiece(key, piece, part, STAGED_MS);
    });
    return { key, bytes: content.length };
  }

  /** The content that a script has put there; undefined where it is not there as a whole. `bytes`: its length, where that is known. */
  async read(key: string, bytes?: number): Promise<Buffer | undefined> {
    const count = bytes === undefined ? await this.oneOf(() => this.redis.hlen(key)) : piecesOf(bytes);
    if (!(count > 0 && count <= MOST_PIECES)) return undefined;
    const pieces: Buffer[] = [];
    let isWhole = true;
    await this.inPieces(count, async (piece) => {
      if (!isWhole) return;
      const part = await this.redis.hgetBuffer(key, String(piece));
      if (part === null) isWhole = false;
      else pieces[piece] = part;
    });
    const content = isWhole ? Buffer.concat(pieces) : undefined;
    return bytes === undefined || content?.length === bytes ? content : undefined;
  }

  /** Anything else that may be large, as one piece among the others. */
  async oneOf<T>(command: () => Promise<T>): Promise<T> {
    if (this.underWay >= MOST_UNDER_WAY) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.underWay += 1;
    try {
      return await command();
    } finally {
      // The place is handed on: whoever has waited longest has it before anybody who comes now.
      const next = this.waiting.shift();
      if (next === undefined) this.underWay -= 1;
      else next();
    }
  }

  /** Two at a time of one content, so that others come in between. */
  private async inPieces(count: number, handle: (piece: number) => Promise<void>): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) {
        const piece = next++;
        await this.oneOf(() => handle(piece)).catch((error: unknown) => {
          next = count;
          throw error;
        });
      }
    };
    await Promise.all([work(), work()]);
  }
}
