import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Agreement } from './agreement';

const JOBS = Number(process.env['AGREEMENT_JOBS'] ?? 10_000);
const CALLERS = 24;
/** Lines of one kind that are printed; more say nothing new. */
const MOST = 20;

let agreement: Agreement;
beforeAll(async () => {
  agreement = await Agreement.start();
}, 60_000);
afterAll(() => agreement.stop(), 60_000);

it('all surfaces agree to the job after a worker node and the elected replica were killed', async () => {
  const findings = await agreement.run(JOBS, CALLERS);
  const disagreements = findings.flatMap((finding) => finding.disagreements);
  for (const finding of findings) {
    process.stderr.write(`agreement: ${finding.disagreements.length === 0 ? 'agrees   ' : 'DISAGREES'} ${finding.line}\n`);
    for (const words of finding.disagreements.slice(0, MOST)) process.stderr.write(`agreement:           - ${words}\n`);
  }
  process.stderr.write(`agreement: verdict: ${disagreements.length === 0 ? 'all agree' : `${disagreements.length} disagreements`}\n`);
  expect(disagreements).toEqual([]);
}, 900_000);
