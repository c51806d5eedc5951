#!/usr/bin/env node
'use strict';
// The link that npm makes must exist before the build does.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const entry = join(__dirname, '..', 'dist', 'main.js');
if (!existsSync(entry)) {
  console.error('python3-cluster is not built yet: run `npm run build` in the clone.');
  process.exit(1);
}
require(entry).runCli(process.argv.slice(2));
