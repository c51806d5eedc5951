import type { TraceContext } from './trace-context';

export const SAMPLERS = [
  'always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio',
] as const; // prettier-ignore
export type SamplerName = (typeof SAMPLERS)[number];

/** Whether a trace is sampled, decided once at its head, or anew by every process where the sampler is none that asks the parent. */
export type Sampler = (traceId: string, parent: Pick<TraceContext, 'isSampled'> | undefined) => boolean;

export function createSampler(name: SamplerName, ratio: number): Sampler {
  const decideRoot = rootSamplers[name.replace('parentbased_', '') as keyof typeof rootSamplers](ratio);
  if (!name.startsWith('parentbased_')) return decideRoot;
  return (traceId, parent) => parent?.isSampled ?? decideRoot(traceId);
}

const rootSamplers = {
  always_on: () => () => true,
  always_off: () => () => false,
  traceidratio: (ratio: number) => (traceId: string) => numberOf(traceId) < ratio * ID_SPACE,
} satisfies Record<string, (ratio: number) => (traceId: string) => boolean>;

/** The last digits, which W3C asks to be random even where the first ones are a time. As many as a number holds exactly. */
const DIGITS = 13;
const ID_SPACE = 16 ** DIGITS;
const numberOf = (traceId: string): number => Number.parseInt(traceId.slice(-DIGITS), 16);
