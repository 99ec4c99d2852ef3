import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { scratch } from './client.js';
import { Guest, noGuest } from './guest.js';
import { serialPortsWork } from './guest-serial.js';

const EDU = '0000:00:04.0';
const SERIAL = '0000:00:05.0';

/** A socket that sends back what comes. */
async function echo(t: Test): Promise<string> {
  const path = join(scratch(t), 'echo');
  const server = createServer((socket) => socket.pipe(socket).on('error', () => {}));
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  t.teardown(() => server.close());
  return path;
}

// One boot for all; the devices are QEMU's own, so what is tested is the guest and its scripts.
t.test('a guest', { skip: noGuest() }, async (t) => {
  const ports = [await echo(t), await echo(t)].map((path, n) => [
    ...['-chardev', `socket,id=port${n},path=${path}`],
  ]);
  const guest = await Guest.boot(t, [
    ...ports.flat(),
    ...['-device', 'edu,addr=4', '-device', 'pci-serial-2x,chardev1=port0,chardev2=port1,addr=5'],
    ...['-device', 'pcie-root-port,id=slot1,addr=6,chassis=1'],
  ]);

  t.test('its shell tells output, errors and status apart', async (t) => {
    t.strictSame(await guest.run('echo out; echo error >&2; (exit 3)'), {
      status: 3,
      stdout: 'out\n',
      stderr: 'error\n',
    });
    t.strictSame(await guest.run('printf x; read -r nothing'), { status: 1, stdout: 'x', stderr: '' });
    const long = await guest.output('yes | head -c 20000');
    t.equal(long, 'y\n'.repeat(10_000));
    t.match(await guest.output(`echo ${'z'.repeat(6000)} | wc -c`), /^6001$/m);
  });

  t.test('lspci names devices, and QEMU has them at the same addresses', async (t) => {
    const listed = await guest.output(`lspci -vvnn -s ${EDU} 2>/dev/null`);
    t.match(listed, /^00:04\.0 .*\[00ff\]: .*\[1234:11e8\] \(rev 10\)$/m);
    const [, address] = /Region 0: Memory at ([0-9a-f]{8}) \(32-bit, non-prefetchable\) \[size=1M\]/.exec(
      listed,
    )!;
    t.match(listed, 'Capabilities: [40] MSI: Enable- Count=1/1 Maskable- 64bit+');
    t.match(await guest.qemu.qmp.monitor('info pci'), `BAR0: 32 bit memory at 0x${address} `);
    t.equal(await guest.output('pci_find 1234:11e8'), `${EDU}\n`);
    t.equal(await guest.output(`pci_bar ${EDU} 0`), `0x00000000${address}\n`);
  });

  t.test('a script reads and writes registers', async (t) => {
    await guest.run(`pci_start ${EDU}; edu=$(pci_bar ${EDU} 0)`);
    t.equal(await guest.output('peek $edu; poke $edu+4 0x12345678; peek $edu+4'), '0x010000ED\n0xEDCBA987\n');
  });

  t.test(
    'a device reads and writes the memory that is kept for scripts, and an MSI is seen in it',
    async (t) => {
      // The device has a buffer at 0x40000, of which QEMU 7.2 does not let the last byte be used. Command 1 starts, 2 is
      // towards the guest, 4 interrupts at the end with cause 0x100.
      const script = `
      set -- $DMA $((DMA + PAGE)) $((DMA + 2 * PAGE)) 4000
      transfer() {
        poke $edu+0x80 $1; poke $edu+0x88 $2; poke $edu+0x90 $3; poke $edu+0x98 $4
        while [ $(($(peek $edu+0x98) & 1)) = 1 ]; do sleep 0.01; done
      }
      head -c $4 /dev/urandom > /tmp/sent
      memory_write $1 < /tmp/sent
      head -c $4 /dev/zero | memory_write $2
      poke $3 0xffffffff
      pci_msi ${EDU} $3 0x5a17
      transfer $1 0x40000 $4 1
      transfer 0x40000 $2 $4 7
      for try in $(seq 100); do [ $(peek $3) = 0xFFFFFFFF ] && sleep 0.1 || break; done
      peek $3; peek $edu+0x24; poke $edu+0x64 0x100; peek $edu+0x24
      memory_read $2 $4 > /tmp/received
      cmp /tmp/sent /tmp/received && wc -c < /tmp/received`;
      t.equal(await guest.output(script), '0x00005A17\n0x00000100\n0x00000000\n4000\n');
    },
  );

  t.test('an interrupt line reaches uio_pci_generic', async (t) => {
    const script = `
      setpci -s ${EDU} CAP_MSI+2.W=0:1
      uio=$(uio_attach ${EDU})
      before=$(interrupts ${EDU})
      for cause in 1 2; do
        uio_listen ${EDU} $uio; poke $edu+0x60 $cause; uio_heard; poke $edu+0x64 $cause
      done
      echo $(($(interrupts ${EDU}) - before))
      uio_detach ${EDU}`;
    t.equal(await guest.output(script), '1\n2\n2\n');
  });

  t.test('serial ports of a PCI card give back what was sent, and interrupt', async (t) => {
    await serialPortsWork(t, guest, SERIAL, 2);
  });

  t.test('I/O ports are read and written without a driver', async (t) => {
    // Scratch register of each UART; the second is behind the first, in the same base address.
    const script = `port_out ${SERIAL} 0 7 0x5a; port_out ${SERIAL} 0 15 0xa5
      port_in ${SERIAL} 0 7; port_in ${SERIAL} 0 15`;
    t.equal(await guest.output(script), '0x5a\n0xa5\n');
  });

  t.test('devices come and go while it runs', async (t) => {
    const { qmp } = guest.qemu;
    await qmp.execute('device_add', { driver: 'edu', id: 'late', bus: 'slot1' });
    const waits = (test: string) =>
      `for try in $(seq 300); do ${test} && break; sleep 0.1; done; pci_find 1234:11e8`;
    const added = await guest.output(waits('[ $(pci_find 1234:11e8 | wc -l) = 2 ]'));
    t.equal(added, `${EDU}\n0000:01:00.0\n`);
    await qmp.execute('device_del', { id: 'late' });
    await qmp.event('DEVICE_DELETED', ({ device }) => device === 'late');
    t.equal(await guest.output('pci_find 1234:11e8'), `${EDU}\n`);
    await t.rejects(qmp.execute('device_del', { id: 'late' }), /device_del: DeviceNotFound: /);
  });

  t.test('it ends with its shell', async (t) => {
    await t.rejects(guest.run('exit'), /^the guest ended \(QEMU ended with 0: /);
    t.match(await guest.qemu.ended(), /^QEMU ended with 0: /);
  });
});
