import t from 'tap';
import { guestFiles, noGuest } from './guest.js';
import { startGuest } from './guest-session.js';
import { vfioSession } from './vfio.js';

const MDPY = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1011';
const MBOCHS = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1012';
const HOLDERS = 'sed s/:.*// /sys/kernel/debug/mdevfs/holders';
const SAMPLES = `
  for module in mdpy mbochs; do echo modprobe $module > /sys/kernel/debug/mdevfs/module || exit; done
  cd /sys/class/mdev_bus || exit
  echo ${MDPY} > mdpy/mdev_supported_types/mdpy-vga/create
  echo ${MBOCHS} > mbochs/mdev_supported_types/mbochs-small/create
  cd /`;

const device = (uuid: string, slot: number, more = '') => [
  '-device',
  `vfio-pci,sysfsdev=/sys/bus/mdev/devices/${uuid},addr=0x${slot.toString(16)}${more}`,
];

/** Has each vGPU hand a page on to the next one: from guest memory into its own, and from there one page further. */
const HAND_ON = `
  head -c $PAGE /dev/urandom > /tmp/page; memory_write $DMA < /tmp/page; at=$DMA
  for gpu in $(pci_find 10de:1eb8); do
    pci_start $gpu
    vgpu_command $gpu 2 $at 0 $PAGE; at=$((at + PAGE)); vgpu_command $gpu 3 0 $at $PAGE
  done | sort | uniq -c
  memory_read $((DMA + 8 * PAGE)) $PAGE | cmp - /tmp/page && echo same`;

/** Memory of a vGPU, as the model has it: a file without a name, base address 1 at 2^40. */
const memoryOf = (uuid: string) => `
  name=$(ls /sys/bus/mdev/devices/${uuid}/vfio-dev)
  for memory in /proc/[0-9]*/fd/*; do
    [ "$(readlink $memory)" = "/memfd:mdevfs:$name (deleted)" ] && break
  done
  page=$(((1 << 40) / 4096 + 1))`;

t.test('two guests of one command', { skip: noGuest() }, async (t) => {
  const { session, uuids } = await vfioSession(t);
  const made = await session.run(SAMPLES);
  t.strictSame(made, { status: 0, stdout: '', stderr: '' });
  const files = guestFiles(t);
  const vgpus = uuids.flatMap((uuid, n) => device(uuid, 4 + n));
  const one = await startGuest(t, session, files, vgpus);
  // What a display is needed for, ramfb, is nothing that a machine without one has.
  const cards = [...device(MDPY, 4, ',display=off'), ...device(MBOCHS, 5, ',display=off')];
  const other = await startGuest(t, session, files, cards);
  await Promise.all([one.booted(), other.booted()]);

  await t.test('one has eight vGPUs', async (t) => {
    t.equal((await one.shell.output('pci_find 10de:1eb8')).split('\n').length - 1, 8);
    t.equal(
      await one.shell.output(HAND_ON),
      '     16 0x00000001 0x00000000\nsame\n',
      'each reads and writes its memory',
    );
  });

  await t.test("a vGPU's memory is the same for the guest and for the model", async (t) => {
    // The guest's vGPUs are in the order of their slots.
    await one.shell.run('poke $(pci_bar 0000:00:04.0 1)+0x1000 0xcafef00d');
    const fromHost = `${memoryOf(uuids[0])}
      dd if=$memory bs=4096 skip=$page count=1 status=none | od -An -tx4 -N4
      printf 'from' | dd of=$memory bs=4096 seek=$page conv=notrunc status=none`;
    t.equal(await session.output(fromHost), ' cafef00d\n', 'the model sees what the guest stores');
    t.equal(
      await one.shell.output('peek $(pci_bar 0000:00:04.0 1)+0x1000'),
      '0x6D6F7266\n',
      'the guest sees what the model stores',
    );
  });

  await t.test('the other has an mdpy and an mbochs card', async (t) => {
    const listed = await other.shell.output('lspci -vnn -s 4 2>/dev/null; lspci -vnn -s 5 2>/dev/null');
    t.match(listed, /^00:04\.0 Display controller \[0380\]: .*\[1b36:000f\] \(rev 01\)$/m);
    t.match(listed, /Memory at [0-9a-f]+ \(32-bit, prefetchable\) \[.*size=2M\]/);
    t.match(listed, /^00:05\.0 Display controller \[0380\]: .*\[1234:1111\] \(rev 01\)$/m);
    t.match(listed, /Memory at [0-9a-f]+ \(32-bit, prefetchable\) \[.*size=4M\]/);
    t.match(listed, /Memory at [0-9a-f]+ \(32-bit, non-prefetchable\) \[.*size=4K\]/);
    const pixels = `
      pci_start 0000:00:04.0; pci_start 0000:00:05.0
      mdpy=$(pci_bar 0000:00:04.0 0); mbochs=$(pci_bar 0000:00:05.0 0)
      poke $mdpy+0x1ffffc 0x11223344; poke $mbochs+0x3ffffc 0x55667788
      peek $mdpy+0x1ffffc; peek $mbochs+0x3ffffc; peek $(pci_bar 0000:00:05.0 2)+0x500 16`;
    t.equal(await other.shell.output(pixels), '0x11223344\n0x55667788\n0xB0C5\n');
  });

  await t.test('one is killed, and the other lives on', async (t) => {
    t.equal(await session.output(`${HOLDERS} | wc -l`), '10\n');
    await session.run(`kill -KILL ${one.pid}; wait ${one.pid}`);
    t.strictSame((await session.output(HOLDERS)).split('\n').sort(), ['', MDPY, MBOCHS]);
    t.equal(await other.shell.output('peek $mdpy+0x1ffffc'), '0x11223344\n');
    await session.run(`kill -TERM ${other.pid}; wait ${other.pid}`);
    t.equal(await session.output(HOLDERS), '');
  });
});
