import { readFileSync } from 'node:fs';

/** Inclusive. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Ports that the kernel gives to whoever asks for any. ADMIN code may listen on those, and only on those: what clients of
 * ours trust by its address must not be there, or code could take its place while it is down.
 */
export function ephemeralPorts(): PortRange {
  try {
    const [first = NaN, last = NaN] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
    if (first <= last) return { first, last };
  } catch {
    // Not Linux: the range that IANA sets aside.
  }
  return { first: 49_152, last: 65_535 };
}

export const isWithin = (port: number, { first, last }: PortRange): boolean => port >= first && port <= last;

/** A sentence for each setting that names such a port. */
export function warnOfPorts(ports: Readonly<Record<string, number>>, range = ephemeralPorts()): string[] {
  return Object.entries(ports)
    .filter(([, port]) => isWithin(port, range))
    .map(([name, port]) => `${name}=${port} is a port that ADMIN code may listen on while we do not (${range.first}-${range.last}); choose another`);
} // prettier-ignore
