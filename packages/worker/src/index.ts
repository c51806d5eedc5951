export * from './create-worker';
export * from './main';
export { examineIsolation } from './examine-isolation';
export type { PythonCommand } from './sandbox/python-command';
