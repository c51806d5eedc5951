export { createSignInPath } from './sign-in/create-sign-in-path';
export { createApi, type Api } from './create-api';
export { runApi, type RunApiOptions } from './main';
export { listOperations } from './operations/feature';
export { features } from './features';
