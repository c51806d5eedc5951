'use strict';

/** Folders of a package import one way, too: each can be read without those that read it. Tests may reach anywhere. */
const { options } = require('./.dependency-cruiser.cjs');

module.exports = {
  forbidden: [{ name: 'no-folder-cycles', scope: 'folder', severity: 'error', from: {}, to: { circular: true } }],
  options: { ...options, exclude: { path: '(^|/)dist/|\\.test\\.ts$|^packages/[^/]+/test/' } },
};
