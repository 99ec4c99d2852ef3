/**
 * What a guest does with a vGPU, by its registers (docs/vgpu-device.md): memory of the device, DMA to and from the guest's
 * memory, pinned pages, MSI, which is seen as the write to memory that it is, and the interrupt line, which a driver hears.
 * @module
 */

import type { Test } from 'tap';
import { Errno } from '../../src/lib/errno.js';
import type { Guest } from './guest.js';

const Command = { copy: 1, load: 2, store: 3, pin: 4, unpin: 5, poke: 6 } as const;
const MSI_DATA = 0x5a17;

/** How busybox's devmem prints 32 bits. */
const word = (value: number) => `0x${value.toString(16).toUpperCase().padStart(8, '0')}`;
/** Status and error of a command. */
const ended = (errno = 0) => `${word(errno === 0 ? 1 : 3)} ${word(errno)}\n`;

export interface VgpuOptions {
  /** What DMA to an address without memory is: EINVAL by way of a container, ENOENT by way of /dev/iommu. */
  unmapped?: number;
}

/** @param device address of the vGPU in the guest */
export async function vgpuWorks(
  t: Test,
  guest: Pick<Guest, 'run' | 'output'>,
  device: string,
  { unmapped = Errno.EINVAL }: VgpuOptions = {},
): Promise<void> {
  const { status, stderr } = await guest.run(`pci_start ${device}
    gpu=${device}; registers=$(($(pci_bar $gpu 0))); memory=$(($(pci_bar $gpu 1)))
    command() { vgpu_command $gpu "$@"; }
    sent=$DMA; back=$((DMA + 0x10000)); copied=$((DMA + 0x20000)); message=$((DMA + 0x30000))`);
  t.equal(status, 0, stderr);

  await t.test('registers', async (t) => {
    const read = 'for offset in 0 4 8; do vgpu_read $gpu $offset; done';
    t.equal(await guest.output(read), '0x55504756\n0x00000001\n0x01000000\n');
    const scratch = `vgpu_write $gpu 0xc 0x89abcdef; poke $registers+0xc 0 8; poke $registers+0xe 0 16
      vgpu_read $gpu 0xc; peek $registers+0xc 8; peek $registers+0xe 16`;
    t.equal(
      await guest.output(scratch),
      '0x89ABCDEF\n0xEF\n0x89AB\n',
      'whole writes only, reads of all widths',
    );
  });

  await t.test("the device's memory", async (t) => {
    const script = `poke $memory+0x1000 0xcafef00d; poke $memory+0x1001 0x11 8
      peek $memory+0x1000; peek $memory+0x1002 16; vgpu_memory $gpu 0xfffffc`;
    t.equal(await guest.output(script), '0xCAFE110D\n0xCAFE\n0x00000000\n');
  });

  await t.test('DMA', async (t) => {
    const bytes = 10_007;
    const load = `head -c ${bytes + 5} /dev/urandom > /tmp/sent; memory_write $sent < /tmp/sent
      command ${Command.load} $((sent + 5)) 0x2003 ${bytes}
      tail -c +7 /tmp/sent | head -c 4 | hexdump -ve '1/4 "0x%08X\\n"'; vgpu_memory $gpu 0x2004`;
    const [result, first, inDevice] = (await guest.output(load)).split('\n');
    t.equal(`${result}\n`, ended());
    t.match(first, /^0x[0-9A-F]{8}$/);
    t.equal(inDevice, first, 'guest memory is in that of the device');
    const store = `head -c 12000 /dev/zero | memory_write $back; command ${Command.store} 0x2003 $((back + 1)) ${bytes}
      memory_read $back 12000 > /tmp/back; tail -c +6 /tmp/sent > /tmp/expected
      tail -c +2 /tmp/back | head -c ${bytes} | cmp - /tmp/expected && echo same
      { head -c 1 /tmp/back; tail -c +${bytes + 2} /tmp/back; } | tr -d '\\0' | wc -c`;
    t.equal(await guest.output(store), `${ended()}same\n0\n`, 'and comes back, and nothing else');
    const copy = `command ${Command.copy} $sent $copied 8192
      memory_read $copied 8192 > /tmp/copied; head -c 8192 /tmp/sent | cmp - /tmp/copied && echo same`;
    t.equal(await guest.output(copy), `${ended()}same\n`, 'a copy within guest memory');
  });

  await t.test('what fails', async (t) => {
    const fails = async (errno: number, ...words: (number | string)[]) =>
      t.equal(await guest.output(`command ${words.join(' ')}`), ended(errno), words.join(' '));
    // Below 4 GiB, between the guest's memory and that of devices.
    await fails(unmapped, Command.load, 0x2000_0000, 0, 4);
    await fails(unmapped, Command.copy, '$sent', 0x2000_0000, 4);
    await fails(unmapped, Command.load, '0x7fffff000000', 0, 4);
    await fails(Errno.EINVAL, Command.load, '$sent', 0, 0);
    await fails(Errno.EINVAL, 77, '$sent', 0, 4);
    await fails(Errno.EFAULT, Command.load, '$sent', 0xfffffe, 4);
    await fails(0, Command.load, '$sent', 0xfffffc, 4);
    await guest.run('setpci -s $gpu COMMAND=0:4');
    await fails(Errno.EPERM, Command.load, '$sent', 0, 4);
    await guest.run('setpci -s $gpu COMMAND=4:4');
    await fails(0, Command.load, '$sent', 0, 4);
  });

  await t.test('pinned pages', async (t) => {
    const pinned = 'vgpu_read $gpu 0x38';
    t.equal(await guest.output(`command ${Command.pin} $copied 0 8192; ${pinned}`), `${ended()}${word(2)}\n`);
    const poke = `vgpu_write $gpu 0xc 0x12345678; command ${Command.poke} 0 $((copied + 0x1ffc)) 4; peek $copied+0x1ffc`;
    t.equal(await guest.output(poke), `${ended()}${word(0x12345678)}\n`);
    const beyond = `command ${Command.poke} 0 $((copied + 0x2000)) 4`;
    t.equal(await guest.output(beyond), ended(Errno.EFAULT));
    t.equal(
      await guest.output(`command ${Command.unpin} $copied 0 8192; ${pinned}`),
      `${ended()}${word(0)}\n`,
    );
    t.equal(await guest.output(`command ${Command.unpin} $copied 0 4096`), ended(Errno.EINVAL));
  });

  await t.test('MSI', async (t) => {
    const listed = await guest.output(
      `poke $message 0; pci_msi $gpu $message ${MSI_DATA}; lspci -vv -s $gpu 2>/dev/null`,
    );
    t.match(listed, 'Capabilities: [50] MSI: Enable+ Count=1/1 Maskable- 64bit+');
    // What is delivered comes by way of an eventfd and QEMU's main loop.
    const arrives =
      'for try in $(seq 200); do [ $(peek $message) = 0x00000000 ] && sleep 0.05 || break; done; peek $message';
    const quiet = `vgpu_write $gpu 0x30 0; command ${Command.load} $sent 0 4; vgpu_read $gpu 0x34; sleep 0.2; peek $message`;
    t.equal(await guest.output(quiet), `${ended()}${word(0)}\n${word(0)}\n`, 'none unless enabled');
    const once = `command ${Command.load} $sent 0 4; ${arrives}; vgpu_read $gpu 0x34; vgpu_write $gpu 0x34 1
      vgpu_read $gpu 0x34; poke $message 0`;
    for (const time of ['first', 'second'])
      t.equal(
        await guest.output(`vgpu_write $gpu 0x30 1; ${once}`),
        `${ended()}${word(MSI_DATA)}\n${word(1)}\n${word(0)}\n`,
        `the ${time}`,
      );
    const failed = `command 77 0 0 4; ${arrives}; vgpu_write $gpu 0x34 1`;
    t.equal(
      await guest.output(failed),
      `${ended(Errno.EINVAL)}${word(MSI_DATA)}\n`,
      'also when a command fails',
    );
    await guest.run('vgpu_write $gpu 0x30 0; setpci -s $gpu CAP_MSI+2.W=0:1');
  });

  await t.test('the interrupt line', async (t) => {
    // The driver looks into the status register whether the interrupt was its device's, and disables INTx.
    const script = `
      uio=$(uio_attach $gpu); before=$(interrupts $gpu)
      vgpu_write $gpu 0x30 1
      uio_listen $gpu $uio; command 77 0 0 4; uio_heard; echo $((0x$(setpci -s $gpu COMMAND) & 0x400)); setpci -s $gpu STATUS
      uio_listen $gpu $uio; uio_heard
      vgpu_write $gpu 0x34 1; setpci -s $gpu STATUS
      uio_listen $gpu $uio; sleep 0.2; echo $(($(interrupts $gpu) - before))
      command 77 0 0 4; uio_heard
      vgpu_write $gpu 0x34 1; vgpu_write $gpu 0x30 0
      uio_detach $gpu`;
    const [first, heard, command, status, ...rest] = (await guest.output(script)).split('\n');
    t.equal(`${first}\n`, ended(Errno.EINVAL));
    t.strictSame(
      [heard, command, status],
      ['1', '1024', '0018'],
      'it is heard once, and the driver disables it',
    );
    t.strictSame(
      rest,
      ['2', '0010', '2', ended(Errno.EINVAL).trim(), '3', ''],
      'enabled again before its cause is cleared, it is heard again; cleared, it is not',
    );
  });
}
