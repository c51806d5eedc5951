'use strict';

/** Imports go one way: api, worker, cli → shared; cli starts api and worker, which never import each other. */
const TESTS = '(\\.test\\.ts$|^test/|^packages/[^/]+/test/)';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'shared-imports-no-package',
      severity: 'error',
      from: { path: '^packages/shared/' },
      to: { path: '^(packages/(?!shared/)|node_modules/(express|bullmq)/)' },
    },
    { name: 'api-not-worker', severity: 'error', from: { path: '^packages/api/' }, to: { path: '^packages/(worker|cli)/' } },
    { name: 'worker-not-api', severity: 'error', from: { path: '^packages/worker/' }, to: { path: '^packages/(api|cli)/' } },
    {
      name: 'sources-not-tests',
      severity: 'error',
      from: { path: '^packages/.*/src/', pathNot: TESTS },
      to: { path: TESTS },
    },
    {
      name: 'only-declared',
      severity: 'error',
      from: { path: '^packages/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
    {
      name: 'packages-by-their-front',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/([^/]+)/src/(?!index)', pathNot: '^packages/$1/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsConfig: { fileName: 'tsconfig.lint.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default'] },
  },
};
