// `npm start`, `npm test`, `npm run check`, `npm run bench`, `npm run chaos`: what runs before anything is installed or built.
// An old Node must be able to read this file far enough to be told so: no newer syntax here, all else is in launch/.
import { readFileSync } from 'fs';

const floor = /\d+\.\d+\.\d+/.exec(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).engines.node)[0];

if (isOlder(process.versions.node, floor)) {
  console.error(
    'Node.js ' +
      floor +
      ' or newer is needed, and this is ' +
      process.versions.node +
      ': install a current one from https://nodejs.org and try again.',
  );
  process.exitCode = 1;
} else {
  import('./launch/launch.mjs').then(
    function (stage) {
      return stage.launch(process.argv.slice(2));
    },
    function (error) {
      console.error(error);
      process.exitCode = 1;
    },
  );
}

function isOlder(version, than) {
  const have = version.split('.').map(Number);
  const need = than.split('.').map(Number);
  const place = [0, 1, 2].find(function (index) {
    return have[index] !== need[index];
  });
  return place !== undefined && have[place] < need[place];
}
