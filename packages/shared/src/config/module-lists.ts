/**
 * The module lists behind the two modes. Source: the predecessor's own lists (safe, always blocked), kept so that its
 * users' scripts and messages stay as they were, plus harmless modules that ordinary programs use.
 */

const PREDECESSOR_SAFE_MODULES = [
  'math', 'json', 'datetime', 'itertools', 'collections', 'decimal', 'random', 're', 'statistics', 'time', 'calendar',
  'uuid', 'hashlib', 'base64', 'string', 'textwrap', 'difflib', 'enum', 'functools', 'operator', 'copy', 'ast',
] as const; // prettier-ignore

const HARMLESS_MODULES = [
  'typing', 'dataclasses', 'fractions', 'heapq', 'bisect', 'numbers', 'cmath', 'abc', 'contextlib', 'zoneinfo',
  'unicodedata', 'struct', 'array', 'pprint', 'binascii', 'hmac', 'secrets', '__future__', 'io',
  'python3_trace',
] as const; // prettier-ignore

/** What RESTRICTED code may import; `PYTHON3_RESTRICTED_MODULES` adds to it. */
export const RESTRICTED_MODULES: readonly string[] = [...PREDECESSOR_SAFE_MODULES, ...HARMLESS_MODULES];

/**
 * What user code may import itself in no mode: `PYTHON3_BLOCKED_MODULES`. Threads and what is built on them (`threading`,
 * `asyncio`, `concurrent`) are not among them: the process limit counts and bounds threads, and the kernel refuses them to RESTRICTED code.
 */
export const ALWAYS_BLOCKED_MODULES: readonly string[] = [
  'telnetlib', 'paramiko', 'pty', 'tty', 'termios', 'fcntl', 'pipes', 'posix', 'pwd', 'grp', 'crypt', 'ctypes',
  'multiprocessing', '__builtin__', 'builtins',
]; // prettier-ignore
