import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Version of the product, from the one place that states it. */
export const PRODUCT_VERSION: string = (JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as { version: string })
  .version;
