import t from 'tap';
import { Machine } from '../../src/machine/machine.js';
import { typesOf, uuidOf } from '../mdev/machine.js';

const O_WRONLY = 1;
const UUID = uuidOf(1);
const device = `/sys/bus/mdev/devices/${UUID}`;
const control = '/sys/kernel/debug/mdevfs';

function host() {
  const machine = new Machine();
  machine.modprobe('mtty');
  machine.createMdev('mtty', 'mtty-1', UUID);
  const shell = machine.process();
  const attach = (words: string): number => {
    const fd = shell.open(`${control}/attach`, O_WRONLY);
    shell.write(fd, Buffer.from(words));
    return fd;
  };
  const cat = (path: string): string => {
    const fd = shell.open(path, 0);
    const text = Buffer.from(shell.read(fd, 4096)).toString();
    shell.close(fd);
    return text;
  };
  const remove = () => shell.write(shell.open(`${device}/remove`, O_WRONLY), Buffer.from('1'));
  return { machine, shell, attach, cat, remove };
}

for (const how of ['', ' iommufd']) {
  t.test(`a VM holds a device as long as its file is open${how}`, async (t) => {
    const { shell, attach, cat, remove } = host();
    const fd = attach(`${UUID} vm=demo memory=16M${how}\n`);
    t.equal(cat(`${control}/attach`), `${UUID} vm=demo memory=16777216${how}\n`);
    t.match(cat(`${control}/vms`), how ? `device ${UUID}` : 'group 0');
    const removal = remove();
    let done = false;
    const settled = Promise.resolve(removal).then(() => {
      done = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(done, false, 'removal waits');
    t.notOk(shell.exists(device), 'though the device has left the bus');
    t.throws(() => attach(UUID), { code: 'ENODEV' });
    shell.close(fd);
    await settled;
    for (const ledger of ['attach', 'containers', 'ioas', 'vms', 'holders'])
      t.equal(cat(`${control}/${ledger}`), '', ledger);
    t.equal(cat(`${typesOf('mtty')}/mtty-1/available_instances`), '24\n');
  });
}

t.test('the ledgers show what is mapped and who holds what', async (t) => {
  const { attach, cat } = host();
  attach(`${UUID} memory=4K`);
  t.match(
    cat(`${control}/containers`),
    /^container 0: groups 0\n {2}vfio_iommu_type1 v2\n {2}iova 0x0 size 0x1000 vaddr/,
  );
  t.equal(cat(`${control}/holders`), `${UUID}: files 1, opened 1, group 0 open\n`);
  t.equal(cat(`${control}/ioas`), '');
});

t.test('with an iommufd it is an address space', async (t) => {
  const { attach, cat } = host();
  attach(`${UUID} memory=4K iommufd`);
  t.match(cat(`${control}/ioas`), /^iommufd 0\n {2}access 1 vfio0\n {2}ioas 2 devices=1\n/);
  t.equal(cat(`${control}/holders`), `${UUID}: files 1, opened 1, iommufd access 1\n`);
  t.equal(cat(`${control}/containers`), '');
});

t.test('what cannot be attached leaves nothing behind', async (t) => {
  const { machine, attach, cat, shell } = host();
  const refused = (words: string, code: string) => {
    t.throws(() => attach(words), { code }, words);
    t.equal(cat(`${control}/attach`), '');
    t.equal(cat(`${control}/vms`), '');
  };
  const memory = 'memory: expected a multiple of 4K up to 1G, such as 64M, got';
  const meaningless: [string, string][] = [
    ['nonsense', 'expected a UUID, got "nonsense"'],
    [`${UUID} cpus=2`, 'expected vm=NAME, memory=SIZE or iommufd, got "cpus=2"'],
    [`${UUID} memry=4K`, 'expected vm=NAME, memory=SIZE or iommufd, got "memry=4K" (did you mean "memory"?)'],
    [`${UUID} memory`, 'expected vm=NAME, memory=SIZE or iommufd, got "memory"'],
    [`${UUID} memory=1`, `${memory} "1"`],
    [`${UUID} memory=2G`, `${memory} "2G"`],
    [`${UUID} memory=64Q`, `${memory} "64Q"`],
    [`${UUID} memory=4K memory=8K`, 'memory: expected once, got "memory=8K" too'],
    [`${UUID} vm=`, 'vm: expected a name without blanks and "=", got ""'],
  ];
  for (const [words, why] of meaningless) {
    refused(words, 'EINVAL');
    t.equal(machine.core.log.lines.at(-1), `mdevfs: attach: ${why}`);
  }
  refused(uuidOf(7), 'ENODEV');
  attach(UUID);
  t.throws(() => attach(UUID), { code: 'EBUSY' }, 'one at a time');
  t.throws(() => shell.open('/dev/vfio/0', 2), { code: 'EBUSY' });
});
