import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { scratchDir } from '../mount/mounted.js';
import { inNamespace, noNamespaces, noUdevadm } from './namespace.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const noNetlink = await noNamespaces();
const skip = noNetlink ?? false;
const skipUdevadm = noNetlink ?? noUdevadm() ?? false;

const witness = fileURLToPath(new URL('./witness.js', import.meta.url));
const recording = fileURLToPath(new URL('../../../test/data/oracle/uevents/mtty.jsonl', import.meta.url));
const steps = readFileSync(recording, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as { step: string; events: string[][] });

/** Variables of the events of recorded steps, without the kernel's number; group 7 is the first here. */
const recorded = (...titles: string[]) =>
  titles
    .flatMap((title) => steps.find(({ step }) => step === title)!.events)
    .map((event) => event.slice(1, -1).map((variable) => variable.replace('vfio/7', 'vfio/0')));

interface Printed {
  source: string;
  env: string[];
}

/** Events as `monitor --property` prints them. */
function parse(text: string): Printed[] {
  return text
    .split('\n\n')
    .map((block) => block.trim().split('\n'))
    .filter(([line]) => /^(KERNEL|UDEV {2})\[/.test(line!))
    .map(([line, ...env]) => ({ source: line!.slice(0, 6).trim(), env }));
}

const without = (env: readonly string[], ...keys: string[]) =>
  env.filter((variable) => !keys.includes(variable.split('=')[0]!));

/**
 * Has a monitor listen while a device is made, announced by hand and removed.
 * @param monitor the command
 * @param uevents where the daemon sends events
 */
async function monitored(t: Test, monitor: string, uevents = '--uevents'): Promise<Printed[]> {
  const dir = scratchDir(t);
  const text = await inNamespace(
    t,
    `
    $mdevfs mount -f samples ${uevents} ${dir} >&2
    mkdir -p /run/udev
    test -e /run/udev/control || touch /run/udev/control
    ${monitor.replace('DIR', dir)} > /run/events 2> /run/errors & pid=$!
    bus() { echo "change" > ${dir}/bus/mdev/uevent; sleep 0.05; grep -q DEVPATH=/bus/mdev /run/events; }
    wait_for bus
    echo ${UUID} > ${dir}/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
    echo 'add ${UUID} A=1 B=2' > ${dir}/bus/mdev/devices/${UUID}/uevent
    echo 1 > ${dir}/bus/mdev/devices/${UUID}/remove
    echo change > ${dir}/module/mtty/uevent
    last() { grep -q DEVPATH=/module/mtty /run/events; }
    wait_for last
    kill $pid; wait $pid || true
    cat /run/events
    $mdevfs umount ${dir} >&2
    `,
  );
  return parse(text).filter(({ env }) => env.some((variable) => /^DEVPATH=.*(mtty\/|vfio)/.test(variable)));
}

const expected = () =>
  recorded(`create mtty-1 ${UUID}`, `mdev uevent write 'add ${UUID} A=1 B=2'`, `remove ${UUID}`);

t.test('netlink carries the recorded events in the recorded order', { skip }, async (t) => {
  const printed = await monitored(t, '$mdevfs monitor --property --kernel');
  t.ok(printed.every(({ source }) => source === 'KERNEL'));
  t.same(
    printed.map(({ env }) => without(env, 'SEQNUM')),
    expected(),
  );
  const numbers = printed.map(({ env }) => Number(/=(\d+)$/.exec(env.at(-1)!)![1]));
  t.ok(
    numbers.every((number, at) => at === 0 || number > numbers[at - 1]!),
    'the kernel has numbered them',
  );
});

t.test('udevadm monitor shows them', { skip: skipUdevadm }, async (t) => {
  const printed = await monitored(t, 'udevadm monitor --property --kernel');
  // libudev sorts the variables in its own way, and completes the name of the node.
  t.same(
    printed.map(({ env }) => without(env, 'SEQNUM').sort()),
    expected().map((env) => env.map((v) => v.replace('DEVNAME=', 'DEVNAME=/dev/')).sort()),
  );
});

t.test("udev's listeners hear of them where no udevd runs", { skip: skipUdevadm }, async (t) => {
  const filter =
    '--subsystem-match=mdev --subsystem-match=vfio-dev --subsystem-match=module --subsystem-match=bus';
  const printed = await monitored(t, `udevadm monitor --property --udev ${filter}`, '--udev');
  t.ok(
    printed.every(
      ({ source, env }) => source === 'UDEV' && env.some((v) => /^USEC_INITIALIZED=\d+$/.test(v)),
    ),
  );
  t.same(
    printed.map(({ env }) => without(env, 'SEQNUM', 'USEC_INITIALIZED').sort()),
    expected()
      .filter((env) => !env.includes('SUBSYSTEM=vfio'))
      .map((env) => env.map((v) => v.replace('DEVNAME=', 'DEVNAME=/dev/')).sort()),
  );
});

t.test('a tree tells them without netlink', { skip }, async (t) => {
  const printed = await monitored(t, '$mdevfs monitor --property --at DIR', '');
  t.same(
    printed.map(({ env }) => without(env, 'SEQNUM')),
    expected(),
  );
});

t.test('who hears of a device finds it, also who missed it a moment ago', { skip }, async (t) => {
  const dir = scratchDir(t);
  const devices = 200;
  const text = await inNamespace(
    t,
    `
    $mdevfs mount -f samples --uevents ${dir} >&2
    mkfifo /run/said
    "${process.execPath}" "${witness}" ${dir} ${devices} > /run/said &
    exec 4< /run/said
    read -ru 4
    # Somebody keeps looking, so that the kernel knows names to be missing, and listings without them.
    while :; do ls -l ${dir}/bus/mdev/devices || true; done > /dev/null 2>&1 & looking=$!
    for n in {1..${devices}}; do
      printf -v uuid '83b8f4f2-509f-382f-3c1e-%012x' $n
      test ! -e ${dir}/bus/mdev/devices/$uuid
      echo $uuid > ${dir}/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
      read -ru 4 -t 20
      echo $REPLY
      echo 1 > ${dir}/bus/mdev/devices/$uuid/remove
    done | sort | uniq -c
    kill $looking
    `,
  );
  t.equal(text.trim(), `${devices} found`);
});

t.test(
  'udevadm trigger is an event that udevd answers, and then nobody else does',
  { skip: skipUdevadm },
  async (t) => {
    const dir = scratchDir(t);
    const text = await inNamespace(
      t,
      `
    export SYSTEMD_DEVICE_VERIFY_SYSFS=0
    mkdir -p /run/udev/rules.d
    echo 'SUBSYSTEM=="mdev", ENV{API}="$attr{mdev_type/device_api}"' > /run/udev/rules.d/99-api.rules
    $mdevfs mount -f samples --udev ${dir} >&2
    echo ${UUID} > ${dir}/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
    # The daemon keeps the /sys that it began with.
    unshare -m bash -euc '
      mount --rbind ${dir} /sys
      udevd=/lib/systemd/systemd-udevd; test -x $udevd || udevd=/usr/bin/udevadm
      (exec -a systemd-udevd $udevd --daemon) >&2
      udevadm control --ping
      udevadm monitor --udev --property --subsystem-match=mdev --subsystem-match=bus > /run/events &
      bus() { echo change > /sys/bus/mdev/uevent; sleep 0.1; grep -q DEVPATH=/bus/mdev /run/events; }
      for n in {1..100}; do if bus; then break; fi; done
      udevadm trigger --verbose --settle --action=add --sysname-match=${UUID}
      udevadm settle
      grep E: /run/udev/data/+mdev:${UUID}
      bus
      cat /run/events'
    `,
    );
    t.equal(text.split('\n')[0], `/sys/devices/virtual/mtty/mtty/${UUID}`);
    t.match(text, 'E:API=vfio-pci\n');
    const heard = parse(text).filter(({ env }) => env.includes('SUBSYSTEM=mdev'));
    t.equal(heard.length, 1);
    t.match(heard[0]?.env.join('\n'), /^ACTION=add$(.|\n)*^SYNTH_UUID=[0-9a-f-]{36}$(.|\n)*^API=vfio-pci$/m);
  },
);

t.test('without the right to send, one line says so and nothing stays mounted', { skip }, async (t) => {
  const dir = scratchDir(t);
  const text = await inNamespace(
    t,
    `
    # Root of a user namespace that does not own the network namespace; the mount is what it may do.
    unshare -U -r -m bash -c '
      mount -t tmpfs none /run
      ${'$'}mdevfs mount -f samples --uevents ${dir}' 2>&1 | sed 's/^/said: /'
    grep -c ${dir} /proc/mounts || true
    `.replace("bash -c '", `env mdevfs="$mdevfs" bash -c '`),
  );
  t.match(text, /^said: mdevfs: uevents: no right to send uevents: it takes CAP_SYS_ADMIN .*\n0\n$/);
});
