import t from 'tap';
import { processClock } from '../../src/machine/clock.js';
import { Opened, words } from '../drivers/opened.js';
import { fixtureFile, Host, q35, uuidOf } from '../pci/host.js';
import { FAIL, Faulty, TYPE, UUID } from './faulty.js';
import { StoppedClock } from './stopped-clock.js';

const GPU = '0000:3b:00.0';
const REQ = 4;
const [EVENTFD, TRIGGER] = [4, 32];

t.test('a delay takes as long as the clock of the machine says', async (t) => {
  const clock = new StoppedClock();
  const sh = new Faulty(['mtty'], { clock });
  sh.fail('op=write path=create delay=3600000');
  let written = false;
  const writing = Promise.resolve(sh.write(`${TYPE}/create`, UUID)).then(() => {
    written = true;
  });
  await clock.pass(3_599_999);
  t.notOk(written);
  await clock.pass(1);
  t.ok(written);
  await writing;
  t.match(sh.read(FAIL), /hits=1\n$/);
});

t.test('who has a device that is to go is asked at once, and every ten seconds', async (t) => {
  const clock = new StoppedClock();
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'), { clock });
  host.machine.modprobe('vfio_iommu_type1');
  host.echo(uuidOf(1), `/sys/class/mdev_bus/${GPU}/mdev_supported_types/nvidia-222/create`);
  const vgpu = new Opened(host.machine, uuidOf(1));
  const request = vgpu.process.eventfd();
  vgpu.setIrqs(REQ, EVENTFD | TRIGGER, words(request));
  const removed = host.echo('1', `/sys/bus/mdev/devices/${uuidOf(1)}/remove`);
  t.equal(vgpu.signals(request), 1);
  await clock.pass(9_999);
  t.equal(vgpu.signals(request), 0);
  await clock.pass(1);
  t.equal(vgpu.signals(request), 1);
  await clock.pass(20_000);
  t.equal(vgpu.signals(request), 2);
  vgpu.process.close(vgpu.fd);
  t.equal(await removed, 2);
  t.equal(clock.waiting, 0, 'nobody asks any more');
});

t.test('power management counts with it', async (t) => {
  const clock = new StoppedClock();
  const host = new Host(q35(), { clock });
  await clock.pass(1500);
  t.equal(host.cat('/sys/bus/pci/devices/0000:01:00.0/power/runtime_active_time'), '1500');
});

t.test('the clock of the process tells the time, wakes up and repeats', async (t) => {
  const before = Date.now();
  t.ok(Math.abs(processClock.now() - before) < 60_000);
  await processClock.sleep(2);
  let calls = 0;
  await new Promise<void>((resolve) => {
    const stop = processClock.every(1, () => {
      if (++calls < 3) return;
      stop();
      resolve();
    });
    // The clock keeps no process alive by itself.
    const alive = setInterval(() => {}, 1000);
    t.teardown(() => clearInterval(alive));
  });
  t.equal(calls, 3);
});
