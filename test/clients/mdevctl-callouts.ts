/**
 * mdevctl's callouts and notifiers on devices that answer: a script that is asked for a device's attributes reads them from
 * sysfs, and one that is called before and after a change finds the host so.
 * @module
 */

import type { Test } from 'tap';
import { GPU, UUID, UUID2 } from './client.js';
import type { Session } from './session.js';

const scripts = '/etc/mdevctl.d/scripts.d';
const calls = `${scripts}/calls`;

/** Writes a line for each call: how it is called, and whether the device is there. Knows the attributes of vGPUs. */
const callout = `#!/bin/sh
shift
device=/sys/bus/mdev/devices/$9
case $1 in nvidia-*) ;; *) exit 2;; esac
there=absent; [ ! -e $device ] || there=there
echo "$3 $5 $7 $there $(cat)" >> ${calls}
[ $3 != get ] || echo "[{\\"nvidia_vgpu_params\\":\\"$(cat $device/nvidia_vgpu_params)\\"}]"
[ $3 != pre ] || [ ! -e ${scripts}/refuse ] || { echo not now >&2; exit 1; }
`;

const notifier = `#!/bin/sh
echo "$* $(cat)" >> ${calls}
`;

const config = (start: string, params?: string) =>
  JSON.stringify({
    mdev_type: 'nvidia-36',
    start,
    attrs: params === undefined ? [] : [{ nvidia_vgpu_params: params }],
  });

const notice = (action: string, state: string, of: string, device = `-t nvidia-36`) =>
  `${device} -e notify -a ${action} -s ${state} -u ${UUID} -p ${GPU} ${of}`;

/** @param sh a session with the host at /sys, where /etc/mdevctl.d is the test's and has no device */
export async function mdevctlCalls(t: Test, sh: Session): Promise<void> {
  const install = (name: string, script: string) =>
    sh.run(`cat > ${scripts}/${name} <<'END'\n${script}END\nchmod +x ${scripts}/${name}`);
  await install('callouts/vgpu.sh', callout);
  await install('notifiers/all.sh', notifier);

  /** Runs a command that must succeed silently. @returns what was called */
  const called = async (t: Test, command: string): Promise<string[]> => {
    const { status, stdout, stderr } = await sh.run(`mdevctl ${command}`);
    t.strictSame({ status, stderr }, { status: 0, stderr: '' }, command);
    t.equal(stdout, '', command);
    return lines();
  };
  const lines = async () => (await sh.output(`cat ${calls}; rm ${calls}`)).split('\n').slice(0, -1);

  await t.test('callouts come before and after a change, and find it so', async (t) => {
    const plain = config('manual');
    t.strictSame(await called(t, 'start -u $U -p $P -t nvidia-36'), [
      `pre start none absent ${plain}`,
      `post start success there ${plain}`,
      notice('start', 'success', plain),
    ]);
    t.strictSame(await called(t, 'stop -u $U'), [
      `pre stop none there ${plain}`,
      `post stop success absent ${plain}`,
      notice('stop', 'success', plain),
    ]);
  });

  await t.test(
    "the attributes of an active device come from a callout, and become its definition's",
    async (t) => {
      await called(t, 'start -u $U -p $P -t nvidia-36');
      await sh.run('echo frame_rate=7 > /sys/bus/mdev/devices/$U/nvidia_vgpu_params');
      t.strictSame(await sh.run('mdevctl list -v'), {
        status: 0,
        stdout: `${UUID} ${GPU} nvidia-36 manual\n  Attrs:\n    @{0}: {"nvidia_vgpu_params":"frame_rate=7"}\n\n`,
        stderr: '',
      });
      t.strictSame(await lines(), ['get attributes none there ']);
      const defined = config('manual', 'frame_rate=7');
      t.strictSame(await called(t, 'define -u $U'), [
        'get attributes none there ',
        `pre define none there ${defined}`,
        `post define success there ${defined}`,
        notice('define', 'success', defined),
      ]);
      await called(t, 'stop -u $U');
      const auto = config('auto', 'frame_rate=7');
      t.strictSame(await called(t, 'modify -u $U --auto'), [
        `pre modify none absent ${auto}`,
        `post modify success absent ${auto}`,
        notice('modify', 'success', auto),
      ]);
      await called(t, 'start -u $U');
      t.equal(await sh.output('cat /sys/bus/mdev/devices/$U/nvidia_vgpu_params'), 'frame_rate=7');
      await called(t, 'stop -u $U');
    },
  );

  await t.test('a callout that refuses keeps the device away', async (t) => {
    await sh.run(`mkdir ${scripts}/refuse`);
    t.strictSame(await sh.run('mdevctl start -u $U'), {
      status: 1,
      stdout: '',
      stderr: `vgpu.sh: not now\nError: callout script "${scripts}/callouts/vgpu.sh" failed with return code 1\n`,
    });
    await sh.run(`rmdir ${scripts}/refuse`);
    const defined = config('auto', 'frame_rate=7');
    t.strictSame(await lines(), [`pre start none absent ${defined}`, notice('start', 'none', defined)]);
    t.equal((await sh.run('test -e /sys/bus/mdev/devices/$U')).status, 1);
    await called(t, 'undefine -u $U');
  });

  await t.test('they hear of an attribute that was refused when the device is gone again', async (t) => {
    await called(t, 'define -u $U -p $P -t nvidia-36');
    await called(t, 'modify -u $U --addattr nvidia_vgpu_params --value bad');
    t.match(await sh.run('mdevctl start -u $U'), { status: 1 });
    const defined = config('manual', 'bad');
    t.strictSame(await lines(), [
      `pre start none absent ${defined}`,
      `post start failure absent ${defined}`,
      notice('start', 'failure', defined),
    ]);
    await called(t, 'undefine -u $U');
  });

  await t.test('of a device that no callout is for, only notifiers hear', async (t) => {
    t.strictSame(await called(t, 'start -u $U2 -p mtty -t mtty-1'), [
      `-t mtty-1 -e notify -a start -s success -u ${UUID2} -p mtty {"mdev_type":"mtty-1","start":"manual","attrs":[]}`,
    ]);
    t.equal((await called(t, 'stop -u $U2')).length, 1);
  });

  await sh.run(`rm ${scripts}/callouts/vgpu.sh ${scripts}/notifiers/all.sh`);
}
