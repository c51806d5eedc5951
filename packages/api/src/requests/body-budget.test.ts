import { expect, it } from '@jest/globals';
import { RawConnection, rawRequest, type RawAnswer } from '../../../../test/support/raw-http';
import { waitFor } from '../../../../test/support/wait-for';
import { DEVELOPER_KEY, LEGACY } from '../../test/api-under-test';
import { useCluster, type ClusterUnderTest } from '../../test/use-cluster';

const { startCluster, stopLater } = useCluster();
const FIELDS = ['Host: localhost', `Authorization: Bearer ${DEVELOPER_KEY}`, 'Content-Type: application/json'];

/** A job whose body has so many bytes. */
const jobOf = (bytes: number): string => `{"code":"1","variables":{"v":"${'x'.repeat(bytes - 33)}"}}`;
const LARGE = jobOf(900_000);

const start = (): Promise<ClusterUnderTest> =>
  startCluster({ play: () => undefined, environment: { PYTHON3_MAX_INFLIGHT_BODY_MB: '1', PYTHON3_MAX_BODY_BYTES: '4000000' } });

function open({ api }: ClusterUnderTest, ...parts: string[]): RawConnection {
  const connection = new RawConnection(api.address?.port ?? 0).send(...parts);
  stopLater(() => Promise.resolve(connection.destroy()));
  return connection;
}

const withLength = (body: string, path = '/api/v1/jobs'): string =>
  rawRequest(`POST ${path}`, [...FIELDS, `Content-Length: ${body.length}`]);
const CHUNKED = rawRequest('POST /api/v1/jobs', [...FIELDS, 'Transfer-Encoding: chunked']);
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

const offer = (cluster: ClusterUnderTest, body = LARGE): Promise<RawAnswer> => open(cluster, withLength(body), body).answer();
const answeredWith = (cluster: ClusterUnderTest, status: number, body = LARGE): Promise<RawAnswer> =>
  waitFor(`an answer with ${status}`, async () => {
    const answer = await offer(cluster, body);
    return answer.status === status ? answer : undefined;
  });

interface Holder {
  readonly first: RawConnection;
  readonly answer: Promise<RawAnswer>;
  /** What the others are answered meanwhile. */
  readonly refused: RawAnswer;
}

/** A sender that holds room with a part of its body. What is offered at the same time may cost it the room: then another one does. */
const holdRoom = (cluster: ClusterUnderTest, body: string, ...parts: string[]): Promise<Holder> =>
  waitFor('a body that holds room', async () => {
    const first = open(cluster, ...parts);
    let isAnswered = false;
    const answer = first.answer().finally(() => (isAnswered = true));
    answer.catch(() => undefined);
    while (!isAnswered) {
      const refused = await offer(cluster, body);
      if (refused.status === 503 && !isAnswered) return { first, answer, refused };
    }
    return undefined;
  });

it('bodies that are announced and would be too many together are refused before they are read, until there is room', async () => {
  const cluster = await start();
  const { first, answer, refused } = await holdRoom(cluster, LARGE, withLength(LARGE), LARGE.slice(0, 100));
  expect([refused.json.error.code, refused.headers.get('retry-after')]).toEqual(['BODIES_FULL', '1']);
  // None of this one's body is ever sent.
  expect((await open(cluster, withLength(LARGE)).answer()).status).toBe(503);
  expect((await offer(cluster, jobOf(1_000))).status).toBe(202);
  first.send(LARGE.slice(100));
  expect((await answer).status).toBe(202);
  await answeredWith(cluster, 202);
});

it('bodies of unknown length count as they come', async () => {
  const cluster = await start();
  // Not before nearly all of it has come.
  const { first, answer } = await holdRoom(cluster, jobOf(200_000), CHUNKED, chunk(LARGE.slice(0, 899_000)));
  const second = open(cluster, CHUNKED, chunk(LARGE.slice(0, 899_000)));
  expect((await second.answer()).json.error.code).toBe('BODIES_FULL');
  first.send(chunk(LARGE.slice(899_000)), '0\r\n\r\n');
  expect((await answer).status).toBe(202);
  await answeredWith(cluster, 202);
});

it('a sender that hangs up gives its room back', async () => {
  const cluster = await start();
  const { first } = await holdRoom(cluster, LARGE, withLength(LARGE), LARGE.slice(0, 100));
  first.destroy();
  await answeredWith(cluster, 202);
});

it('callers that wait for their outcome hold no room', async () => {
  const cluster = await start();
  for (const path of [`${LEGACY}/exec`, '/api/v1/jobs']) {
    open(cluster, rawRequest(`POST ${path}`, [...FIELDS, 'Prefer: wait=60', `Content-Length: ${LARGE.length}`]), LARGE);
    await waitFor('its job', () => cluster.worker?.taken.length === (path === '/api/v1/jobs' ? 2 : 1));
  }
  expect((await answeredWith(cluster, 202)).status).toBe(202);
});

it('a body alone is taken even if it is larger', async () => {
  expect((await offer(await start(), jobOf(3_000_000))).status).toBe(202);
});
