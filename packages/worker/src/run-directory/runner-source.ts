import { join } from 'node:path';

/** The Python code that runs in templates and children, as it stands in the clone or the image. */
export const RUNNER_SOURCE = join(__dirname, '..', '..', '..', '..', 'python', 'runner');
