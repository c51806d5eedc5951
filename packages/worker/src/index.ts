export * from './create-worker';
export * from './main';
export type { PythonCommand } from './runner/template';
