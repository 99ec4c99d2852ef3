import t from 'tap';
import { lacking, mountClients, Shell } from './client.js';

t.test('lspci, pointed at a mount', { skip: lacking('lspci') }, async (t) => {
  const sh = new Shell(mountClients(t));
  const lspci = (options: string) => sh.output(`lspci -A linux-sysfs -O sysfs.path=$D/bus/pci ${options}`);
  t.equal(
    lspci('-nn -s c0:').replaceAll(/^lspci: .*\n/gm, ''),
    ['02', '03']
      .map(
        (slot) =>
          `c0:${slot}.0 VGA compatible controller [0300]: NVIDIA Corporation GM107GL [Tesla M10] [10de:13bd] (rev a2)\n`,
      )
      .join(''),
  );
  const detailed = lspci('-nnkvvv -s c0:03.0');
  t.match(detailed, 'Kernel driver in use: nvidia');
  t.match(detailed, 'IOMMU group: 1');
  t.match(detailed, 'Express (v2) Endpoint');
  t.notMatch(detailed, /unreadable|Unknown header|!!!/);
  t.match(lspci('-t -n'), /\[0000:c0\]-\+-02\.0\n\s+\\-03\.0/);
});

t.test('lspci, with a mount over /sys', { skip: lacking('lspci', 'unshare') }, async (t) => {
  const sh = Shell.overSys(mountClients(t));
  t.match(sh.output('lspci -D -nmmk -s $P'), /^0000:c0:03\.0 "0300" "10de" "13bd" -ra2 -p00 "10de" "1160"$/m);
});
