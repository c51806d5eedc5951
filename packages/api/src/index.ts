export { createSignInPath } from './auth/create-sign-in-path';
export { createApi, type Api } from './create-api';
export { runApi, type RunApiOptions } from './main';
export { listOperations } from './core/feature';
export { features } from './features';
