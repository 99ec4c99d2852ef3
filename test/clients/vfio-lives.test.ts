import { realpathSync } from 'node:fs';
import t from 'tap';
import { noUserNamespaces } from '../mount/mounted.js';
import { lacking } from './client.js';
import { goneSays, groupSays, shareSays } from './vfio-says.js';
import { client, vfioSession } from './vfio.js';

const skip = lacking('python3', 'setpriv', 'prlimit');
const HOLDERS = 'cat /sys/kernel/debug/mdevfs/holders';

t.test('devices of processes that come and go', { skip }, async (t) => {
  const { session, uuids } = await vfioSession(t);
  const [first, second] = uuids;

  await t.test('one that is killed in the middle of everything', async (t) => {
    for (let time = 1; time <= 5; time++) {
      // The file is one that is read while it grows.
      const killed = `
        python3 $PYTHONPATH/busy.py ${first} > /run/busy 2>&1 & busy=$!
        for try in $(seq 300); do [ -s /run/busy ] && break; sleep 0.1; done; cat /run/busy; rm /run/busy
        sleep 0.${time}; kill -KILL $busy; wait $busy 2>/dev/null; echo $?; ${HOLDERS}`;
      t.equal(await session.output(killed), 'busy\n137\n', `${time}: the device is free at once`);
      t.equal(await session.output(client('again', [first, '1'])), 'let go: 0\n', 'and opens again');
    }
    t.equal(await session.output(client('group', [first])), groupSays(), 'it is as good as new');
  });

  t.equal(await session.output(client('again', [first, '200'])), 'let go: 0\n', 'close(2) lets go at once');
  t.equal(
    await session.output(client('share', [second])),
    shareSays,
    'threads, a child, exec, a descriptor that is sent',
  );
  t.equal(
    await session.output(client('signals', [first])),
    'results: ok\ninterrupted: True\ndescriptors left:\n',
    'signals take no descriptor away',
  );
  t.equal(
    await session.output(client('many', uuids)),
    "handed on: b'012345678'\ninterrupts: 2 2 2 2 2 2 2 2\n",
    'eight devices of one process',
  );
  t.equal(await session.output(HOLDERS), '', 'nobody has any of them');
});

t.test('devices whose daemon is killed', { skip }, async (t) => {
  const { session, uuids } = await vfioSession(t);
  const [first, second] = uuids;
  const args = [first, second, realpathSync(process.execPath), 'serve-run'];
  t.equal(await session.output(client('gone', args)), goneSays, 'every call fails, and none waits');
  t.equal(await session.output('echo alive'), 'alive\n', 'the command lives on');
});

for (const options of [[], ['--user']]) {
  const name = ['mdevfs run', ...options].join(' ');
  const refused = options.length > 0 && (noUserNamespaces() ?? false);
  t.test(`the limit of locked memory under ${name}`, { skip: refused || skip }, async (t) => {
    // Nobody here can raise it, and none of the clients may lock without limit.
    const limited =
      'setpriv --bounding-set -sys_resource --inh-caps -sys_resource prlimit --memlock=65536:65536';
    const { session, uuids } = await vfioSession(t, options, limited.split(' '));
    const pin = (prefix: string, ...raise: number[]) =>
      session.output(
        client('memlock', [uuids[0], ...raise.map(String)], `setpriv --bounding-set -ipc_lock ${prefix}`),
      );
    const before = 'limit: 65536 65536\n';
    const few = 'pin 65536 at 0: 0 16\npin 1048576 at 0: ENOMEM 16\npin 4096 at 1048576: ENOMEM 16\n';
    const many = 'pin 65536 at 0: 0 16\npin 1048576 at 0: 0 256\npin 4096 at 1048576: ENOMEM 256\n';
    const changed = 'changed from: 65536 65536\n';
    t.equal(await pin(''), before + few);
    t.equal(await pin('', 1 << 20), before + changed + many, 'raised by itself');
    t.equal(await pin('', 1 << 20, 1 << 16), before + changed + changed + few, 'and lowered again');
    const other = `sh -c 'prlimit --pid $$ --memlock=1048576:1048576; exec "$@"' sh`;
    t.equal(await pin(other), before + many, 'raised by another process');
    const inside = `unshare --pid --fork --mount-proc ${other}`;
    t.equal(await pin(inside), before + many, 'which has other numbers for both');
    const parent = `sh -c 'ulimit -l 1024; "$@"; true' sh`;
    t.equal(await pin(parent), before + many, 'raised in the shell that starts it');
    t.equal(await pin(''), before + few, 'not for anybody else');
  });
}
