export * from './create-worker';
export * from './main';
export { examineIsolation } from './sandbox/examine-isolation';
export type { PythonCommand } from './runner/template';
