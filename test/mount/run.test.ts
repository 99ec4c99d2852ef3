import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { main, mdevfs, mountpoint, plain, type Result, run } from './command.js';
import { Connections, minorOf } from './connections.js';
import { noMounts, noNamespaces, noUserNamespaces, processState, until } from './mounted.js';

const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const type = '/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1';

/** Why there can be no namespaces here; undefined when there can. */
const skip = noMounts() ?? noNamespaces() ?? false;

const inside = (script: string, ...options: string[]): Result =>
  mdevfs('run', ...options, '--', 'sh', '-c', script);

/** Everything that a test starts has this in its environment, so others may use the machine at the same time. */
process.env.MDEVFS_TEST = `run-${process.pid}`;

/** What a run could leave behind: mounts, processes. */
function left(): { mounts: string; processes: string[] } {
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`MDEVFS_TEST=run-${process.pid}\0`);
    } catch {
      return false;
    }
  });
  // Other tests have mounts elsewhere meanwhile.
  const mounts = readFileSync('/proc/mounts', 'latin1')
    .split('\n')
    .filter((line) => /^\S+ \/(sys|run|dev|proc)\b/.test(line))
    .join('\n');
  return { mounts, processes };
}

/** A run in the background, killed with the test. */
class Running {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;

  constructor(t: Test, script: string, ...options: string[]) {
    const words = [...plain, process.execPath, main, 'run', ...options, '--', 'sh', '-c', script];
    this.child = spawn('env', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout!.on('data', (text: Buffer) => {
      this.stdout += text.toString();
    });
    this.child.stderr!.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    this.ended = once(this.child, 'close');
    t.teardown(async () => {
      this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  async says(text: string): Promise<void> {
    await until(`it says ${text}`, () => {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.stderr}`);
      return this.stdout.includes(text);
    });
  }

  /** The daemon: it is the one whose program is Node. */
  get daemon(): number {
    const pids = left().processes.filter((pid) => {
      const words = wordsOf(pid);
      return words[0] === process.execPath && words.includes('serve-run');
    });
    return Number(pids.at(-1));
  }
}

/** The command line of a process; nothing when it has just ended. */
function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

t.test('emulated and real devices are side by side in /sys', { skip }, (t) => {
  const seen = (script: string) => {
    const { status, stdout, stderr } = inside(script);
    t.equal(stderr, '');
    t.equal(status, 0);
    return stdout.trimEnd().split('\n');
  };
  const real = readdirSync('/sys/bus').sort();
  const lines = seen(`
    readlink -f /sys/class/mdev_bus/mtty
    readlink -f /sys/class/net/lo
    readlink -f /sys/class/mem/null
    cat /sys/class/net/lo/mtu
    cat /sys/class/net/lo/ifindex
    stat -f -c %T /sys /sys/class/net/lo/ /sys/devices/system/cpu /sys/kernel
    cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances
    test -d /sys/module/mtty && test -d /sys/kernel/iommu_groups && test -w /sys/kernel/debug/mdevfs/module && echo all
    readlink -f /sys/dev/char/1:3
    ls /sys/bus
    echo $SYSTEMD_DEVICE_VERIFY_SYSFS`);
  t.same(lines.slice(0, 12), [
    '/sys/devices/virtual/mtty/mtty',
    '/sys/devices/virtual/net/lo',
    '/sys/devices/virtual/mem/null',
    '65536',
    '1',
    'sysfs',
    'sysfs',
    'sysfs',
    'sysfs',
    '24',
    'all',
    '/sys/devices/virtual/mem/null',
  ]);
  const buses = lines.slice(12, -1);
  for (const bus of [...real, 'mdev']) t.ok(buses.includes(bus), bus);
  t.equal(new Set(buses).size, buses.length, 'each once');
  t.equal(lines.at(-1), '0');
  t.end();
});

t.test('devices are made and removed at the real path, and show everywhere at once', { skip }, (t) => {
  const { status, stdout, stderr } = inside(`
    ls /sys/class/vfio /sys/devices/virtual > /dev/null
    echo ${uuid} > ${type}/create
    readlink -f /sys/bus/mdev/devices/*
    for group in /sys/class/vfio/[0-9]*; do readlink -f $group; done
    /bin/echo ${uuid} > ${type}/create
    echo 1 > /sys/bus/mdev/devices/${uuid}/remove
    ls /sys/bus/mdev/devices /sys/class/vfio`);
  t.match(stdout, new RegExp(`^/sys/devices/virtual/mtty/mtty/${uuid}\n/sys/devices/virtual/vfio/(\\d+)\n`));
  t.notMatch(stdout.split('\n').slice(2).join('\n'), uuid);
  t.match(stderr, 'File exists');
  t.equal(status, 0);
  t.end();
});

t.test(
  'what is plugged in while the command runs is there when plug returns, and gone with unplug',
  { skip },
  (t) => {
    const mdevfsHere = `${process.execPath} ${main}`;
    const { status, stdout, stderr } = inside(
      `${mdevfsHere} plug /sys nvidia-t4 && readlink -f /sys/class/mdev_bus/0000:3b:00.0 &&
     echo ${uuid} > /sys/class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222/create &&
     readlink -f /sys/bus/mdev/devices/${uuid} && cat /sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/vendor &&
     ${mdevfsHere} unplug /sys nvidia-t4 && ls /sys/class/mdev_bus && test ! -e /sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0 &&
     ${mdevfsHere} plug /sys nvidia-t4 && cat /sys/class/mdev_bus/0000:3b:00.0/device`,
      '-f',
      'samples',
    );
    const device = '/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0';
    t.same(
      { status, stdout, stderr },
      {
        status: 0,
        stdout: `${device}\n${device}/${uuid}\n0x10de\nmbochs\nmdpy\nmtty\n0x1eb8\n`,
        stderr: '',
      },
    );
    t.end();
  },
);

t.test('attributes of real devices are written through, with the errno of the machine', { skip }, (t) => {
  const { stdout, stderr } = inside(`
    echo 4000 > /sys/class/net/lo/mtu; cat /sys/class/net/lo/mtu
    mkdir /sys/class/net/lo/x
    cat /sys/bus/workqueue/drivers_autoprobe; echo 0 > /sys/bus/workqueue/uevent`);
  t.equal(stdout.split('\n')[0], '4000');
  t.equal(readFileSync('/sys/class/net/lo/mtu', 'latin1'), '65536\n', "and not the machine's own");
  t.match(stderr, 'Operation not permitted');
  t.end();
});

t.test('real devices that come and go are seen', { skip }, (t) => {
  const { stdout, stderr, status } = inside(`
    ls /sys/class/net | tr '\\n' ' '; test -e /sys/class/net/mdevfs0 || echo none
    ip link add mdevfs0 type dummy || ip link add mdevfs0 type veth || exit 77
    ls /sys/class/net | grep -c mdevfs0; readlink -f /sys/class/net/mdevfs0
    ip link del mdevfs0; ls /sys/class/net | grep -c mdevfs0; test -e /sys/class/net/mdevfs0 || echo gone`);
  if (status === 77) t.comment(`no network device to add: ${stderr}`);
  else t.same(stdout, 'lo none\n1\n/sys/devices/virtual/net/mdevfs0\n0\ngone\n');
  t.end();
});

t.test('the exit status of the command is that of run', { skip }, (t) => {
  t.equal(inside('exit 7').status, 7);
  t.equal(inside('kill -TERM $$').status, 128 + 15);
  t.match(mdevfs('run', '--', 'nonesuch-command'), { status: 127, stderr: /nonesuch-command: not found/ });
  t.match(mdevfs('run', '--host', 'nonesuch', '--', 'true'), {
    status: 2,
    stderr: /^mdevfs: fixture nonesuch/,
  });
  t.end();
});

t.test('a faulty fixture is exit code 2, as with mount', { skip }, (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'host.json'), '{"nonsense": 1}');
  const { status, stdout, stderr } = mdevfs('run', '--host', join(dir, 'host.json'), '--', 'echo', 'ran');
  t.equal(status, 2);
  t.equal(stdout, '');
  for (const line of stderr.trimEnd().split('\n')) t.match(line, /^mdevfs: .*host\.json: /);
  t.end();
});

t.test('signals reach the command', { skip }, async (t) => {
  const trap = `trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done`;
  const running = new Running(t, trap);
  await running.says('ready\n');
  running.child.kill('SIGTERM');
  t.same(await running.ended, [5, null]);
  t.match(running.stdout, 'got\n');
});

t.test('nothing is left behind, whoever is killed', { skip }, async (t) => {
  const before = left();
  t.same(before.processes, []);
  const same = async (what: string) => {
    await until(`no process is left after ${what}`, () => left().processes.length === 0);
    t.same(left(), before, what);
  };
  inside('setsid sleep 1000 & exit 0');
  t.same(left(), before, 'an exit that leaves a process running is over at once');

  const killed = new Running(t, 'echo ready; sleep 1000');
  await killed.says('ready\n');
  const { daemon } = killed;
  t.ok(processState(daemon));
  killed.child.kill('SIGKILL');
  await same('SIGKILL of run');
  t.equal(processState(daemon), undefined);

  const running = new Running(
    t,
    `echo ready; while ls /sys/class/mdev_bus > /dev/null; do sleep 0.05; done
     timeout 5 ls /sys/class; echo "ls $?"; test -e /sys/devices/system/cpu && echo real; exit 9`,
  );
  await running.says('ready\n');
  process.kill(running.daemon, 'SIGKILL');
  t.same(await running.ended, [9, null]);
  t.match(running.stdout, 'ls 2\nreal\n', 'clients fail and do not hang, and real devices stay');
  t.match(running.stderr, 'Transport endpoint is not connected');
  t.match(running.stderr, /mdevfs: the daemon ended \(137\): .*ENOTCONN$/m);
  await same('SIGKILL of the daemon');
});

t.test('a connection that nobody has mounted is found', { skip }, async (t) => {
  const connections = Connections.mount(t);
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  const number = minorOf(statSync(dir).dev);
  t.notOk(connections.unmounted().includes(number));
  const fd = openSync(join(dir, 'class/mdev_bus'), 'r');
  run('umount', ['-l', dir]);
  t.ok(connections.unmounted().includes(number));
  closeSync(fd);
  await until('it is gone', () => !connections.unmounted().includes(number));
});

t.test('a hundred runs leave the machine as it was', { skip }, async (t) => {
  const connections = Connections.mount(t);
  const before = left();
  const old = new Set(connections.unmounted());
  for (let i = 0; i < Number(process.env.MDEVFS_TEST_RUNS ?? 100); i++)
    t.same(mdevfs('run', '--', 'true'), { status: 0, stdout: '', stderr: '' });
  t.same(left(), before);
  // What comes later is that of others.
  let ours = connections.unmounted().filter((number) => !old.has(number));
  await until('no connection is left without a mount', () => {
    const now = connections.unmounted();
    ours = ours.filter((number) => now.includes(number));
    return ours.length === 0;
  });
});

t.test('the program that is installed is one bundle', { skip }, (t) => {
  const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: { mdevfs: string } };
  const ran = run(process.execPath, [
    bin.mdevfs,
    'run',
    '--',
    'sh',
    '-c',
    `echo ${uuid} > ${type}/create; ls /sys/bus/mdev/devices`,
  ]);
  t.same(ran, { status: 0, stdout: `${uuid}\n`, stderr: '' });
  t.end();
});

t.test('enter joins a run', { skip }, async (t) => {
  const running = new Running(t, `echo ${uuid} > ${type}/create; echo ready; sleep 1000`);
  await running.says('ready\n');
  const entered = mdevfs(
    'enter',
    String(running.child.pid),
    '--',
    'sh',
    '-c',
    'ls /sys/bus/mdev/devices; exit 6',
  );
  t.same(entered, { status: 6, stdout: `${uuid}\n`, stderr: '' });
  t.match(mdevfs('status').stdout, `/sys of a command: default, run ${running.child.pid} (mdevfs enter`);
  t.match(mdevfs('enter', String(process.pid)), {
    status: 1,
    stderr: `mdevfs: ${process.pid}: no mdevfs run`,
  });
  t.equal(mdevfs('enter', 'x').status, 2);
});

t.test('without root it works in a user namespace', { skip: skip || (noUserNamespaces() ?? false) }, (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  chmodSync(dir, 0o755);
  // /dev/fuse as distributions have it, for this one namespace.
  const asUser = (mode: string, script: string): Result =>
    run('unshare', [
      ...['-m', '--propagation', 'private', 'sh', '-c'],
      `mknod -m ${mode} ${dir}/fuse${mode} c 10 229 && mount -n --bind ${dir}/fuse${mode} /dev/fuse &&
       exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"`,
      ...['sh', process.execPath, main, 'run', '--', 'sh', '-c', script],
    ]);
  const before = left();
  const { status, stdout, stderr } = asUser(
    '666',
    `echo ${uuid} > ${type}/create && ls /sys/bus/mdev/devices; stat -f -c %T /sys
     readlink -f /sys/class/net/lo; echo 3000 > /sys/class/net/lo/mtu; exit 4`,
  );
  t.equal(stdout, `${uuid}\nsysfs\n/sys/devices/virtual/net/lo\n`);
  t.match(stderr, 'Permission denied', "the machine's attributes are not the user's to write");
  t.equal(status, 4);
  t.match(asUser('600', 'true'), {
    status: 1,
    stderr: /^mdevfs: \/dev\/fuse is not readable and writable for you/,
  });
  t.same(left(), before);
  t.end();
});

t.test(
  'a user namespace without uevents, joined',
  { skip: skip || (noUserNamespaces() ?? false) },
  async (t) => {
    const running = new Running(
      t,
      `echo ${uuid} > ${type}/create; echo ready; sleep 1000`,
      '--user',
      '--no-uevents',
    );
    await running.says('ready\n');
    const joined = mdevfs('enter', String(running.child.pid), '--', 'ls', '/sys/bus/mdev/devices');
    t.same(joined, { status: 0, stdout: `${uuid}\n`, stderr: '' });
  },
);

t.test(
  'what the kernel refuses is named, with the way out',
  { skip: skip || (noUserNamespaces() ?? false) },
  (t) => {
    const refusedBy = (...words: string[]) => {
      const { status, stderr } = run(words[0]!, words.slice(1));
      t.equal(status, 1);
      return stderr.trimEnd().split('\n').at(-1);
    };
    const off = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"';
    t.match(
      refusedBy(
        'unshare',
        '-Ur',
        'sh',
        '-c',
        off,
        'sh',
        process.execPath,
        main,
        'run',
        '--user',
        '--',
        'true',
      ),
      /^mdevfs: .*; user namespaces are off: user.max_user_namespaces is 0; have root do sysctl -w user.max_user_namespaces=15000, or use sudo$/,
    );
    const without = ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', process.execPath, main];
    t.match(
      refusedBy(...without, 'run', '--', 'true'),
      /^mdevfs: .*; CAP_SYS_ADMIN is missing; run the container with --cap-add SYS_ADMIN, or use --user$/,
    );
    t.equal(
      run(without[0]!, [...without.slice(1), 'run', '--user', '--', 'true']).status,
      0,
      'and that is one',
    );
    t.end();
  },
);
