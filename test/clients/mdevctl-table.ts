/**
 * mdevctl's listings, byte for byte: every option in every state of the host, against what must be printed of the devices
 * that were made.
 * @module
 */

import type { Test } from 'tap';
import { GPU, UUID, UUID2 } from './client.js';
import { type Device, listOf, type Options, typesOf, words } from './mdevctl-prints.js';
import type { Session } from './session.js';

const OTHER_GPU = '0000:c0:02.0';
const UUID0 = '03b8f4f2-509f-382f-3c1e-e6bfe0fa1000';

const gpu: Device = { uuid: UUID, parent: GPU, type: 'nvidia-36' };
const attrs = [{ nvidia_vgpu_params: 'frame_rate=30' }];

/** States of the host, each made from nothing. */
const states: Record<string, readonly Device[]> = {
  'no device': [],
  'one that is active only': [{ ...gpu, active: true }],
  'one that is defined only': [{ ...gpu, defined: true }],
  'one that starts by itself, and has not': [{ ...gpu, defined: true, start: 'auto', attrs }],
  'one that is active and defined': [{ ...gpu, active: true, defined: true, start: 'auto', attrs }],
  'one that is defined for two parents': [
    { ...gpu, active: true, defined: true, attrs },
    { ...gpu, parent: OTHER_GPU, type: 'nvidia-35', defined: true, start: 'auto' },
  ],
  'one on each parent': [
    { ...gpu, active: true, defined: true, start: 'auto', attrs },
    { uuid: UUID2, parent: GPU, type: 'nvidia-35', active: true },
    { uuid: UUID0, parent: 'mtty', type: 'mtty-2', active: true, defined: true },
    {
      uuid: UUID0.replace(/0$/, '1'),
      parent: 'matrix',
      type: 'vfio_ap-passthrough',
      active: true,
      defined: true,
      attrs: [
        { assign_adapter: '5' },
        { assign_domain: '4' },
        { assign_domain: '0xab' },
        { assign_control_domain: '0xab' },
      ],
    },
    { uuid: UUID0.replace(/0$/, '2'), parent: '0.0.0313', type: 'vfio_ccw-io', active: true },
  ],
};

const typesOptions: readonly Options[] = [
  {},
  { parent: GPU },
  { parent: 'mtty' },
  { parent: 'none' },
  { parent: GPU.toUpperCase() },
  { dumpjson: true },
  { parent: 'matrix', dumpjson: true },
  { parent: 'none', dumpjson: true },
];

const unknown = UUID.replace(/^./, '9');
const chosen: readonly Options[] = [
  {},
  { uuid: UUID },
  { uuid: unknown },
  { parent: GPU },
  { parent: OTHER_GPU },
  { uuid: UUID, parent: GPU },
  { uuid: UUID, parent: OTHER_GPU },
];
const listOptions = [{}, { defined: true }].flatMap((which) =>
  [{}, { verbose: true }, { dumpjson: true }].flatMap((how) =>
    chosen.map((whom) => ({ ...which, ...how, ...whom })),
  ),
);

/** The commands that make a device. */
function made({ uuid, parent, type, active, defined, start, attrs = [] }: Device): string[] {
  const commands: string[] = [];
  if (defined) {
    const auto = start === 'auto' ? '--auto' : '';
    commands.push(`mdevctl define --uuid ${uuid} --parent ${parent} --type ${type} ${auto}`);
    for (const [name, value] of attrs.flatMap((attr) => Object.entries(attr)))
      commands.push(`mdevctl modify --uuid ${uuid} --parent ${parent} --addattr ${name} --value ${value}`);
  }
  if (active)
    commands.push(`mdevctl start --uuid ${uuid} --parent ${parent} ${defined ? '' : `--type ${type}`}`);
  return commands;
}

const unmade = ({ uuid, parent, active, defined }: Device): string[] => [
  ...(active ? [`mdevctl stop --uuid ${uuid}`] : []),
  ...(defined ? [`mdevctl undefine --uuid ${uuid} --parent ${parent}`] : []),
];

const quiet = { status: 0, stdout: '', stderr: '' };

/** @param sh a session with the host at /sys, where mdevctl knows no device */
export async function mdevctlPrints(t: Test, sh: Session): Promise<void> {
  for (const [state, devices] of Object.entries(states)) {
    await t.test(`types and list with ${state}`, async (t) => {
      t.strictSame(await sh.run(['true', ...devices.flatMap(made)].join(' && ')), quiet);
      const cases = [
        ...typesOptions.map((options) => [`types ${words(options)}`, typesOf(devices, options)] as const),
        ...listOptions.map((options) => [`list ${words(options)}`, listOf(devices, options)] as const),
      ];
      for (const [command, stdout] of cases)
        t.strictSame(await sh.run(`mdevctl ${command}`), { ...quiet, stdout }, command);
      t.strictSame(await sh.run(['true', ...devices.flatMap(unmade)].join(' && ')), quiet);
    });
  }
}

const usage = /^error: (The following required arguments|Invalid value "odd" for '--uuid <UUID>')/;

/** Commands in a row, and how each ends; what a line says of a device holds for those after it. */
const startsAndStops: readonly [string, number, string | RegExp][] = [
  ['start -u $U -p $P -t nvidia-36', 0, ''],
  ['start -u $U -p $P -t nvidia-36', 1, 'Error: Device already exists\n'],
  ['start -u $U -p $P -t nvidia-35', 1, 'Error: Device exists with different type\n'],
  [`start -u $U -p ${OTHER_GPU} -t nvidia-36`, 1, 'Error: Device exists under different parent\n'],
  ['start -u $U2', 1, 'Error: Device is insufficiently specified\n'],
  ['start -u $U2 -p $P', 1, 'Error: Device is insufficiently specified\n'],
  ['start -u $U2 -p $P -t mtty-1', 1, `Error: Parent ${GPU} does not support mdev type mtty-1\n`],
  ['start -u $U2 -p none -t nvidia-36', 1, "Error: Unable to find parent device 'none'\n"],
  [
    'start -u $U2 -p 0000:C0:03.0 -t nvidia-36',
    1,
    `Error: Unable to find parent device '0000:C0:03.0'. Did you mean '${GPU}'?\n`,
  ],
  ['start -u $U2 -p $P -t nvidia-36', 0, ''],
  ['start -p $P -t nvidia-36', 1, `Error: No available instances of nvidia-36 on ${GPU}\n`],
  ['start -u odd -p $P -t nvidia-36', 2, usage],
  ['start -t nvidia-36', 2, usage],
  ['stop', 2, usage],
  ['stop -u odd', 2, usage],
  ['stop -u $U2', 0, ''],
  [
    'stop -u $U2',
    1,
    `Error: Error removing device ${UUID2}\n\nCaused by:\n    No such file or directory (os error 2)\n`,
  ],
  [`define -u $U2 -p $P -t nvidia-36`, 0, ''],
  [`define -u $U2 -p $P -t nvidia-36`, 1, `Error: Device ${UUID2} on ${GPU} already defined\n`],
  ['start -u $U2', 0, ''],
  ['start -u $U2', 1, 'Error: Device already exists\n'],
  [
    'start -u $U2 -p $P -t nvidia-35',
    1,
    `Error: Device ${UUID2} already exists on parent ${GPU} with type nvidia-36\n`,
  ],
  ['stop -u $U2', 0, ''],
  [`define -u $U2 -p ${OTHER_GPU} -t nvidia-36`, 0, ''],
  ['start -u $U2', 1, `Error: Multiple definitions found for device ${UUID2}. Please specify a parent.\n`],
  [`start -u $U2 -p ${OTHER_GPU}`, 0, ''],
  ['undefine -u $U2', 0, ''],
  ['stop -u $U2', 0, ''],
  ['stop -u $U', 0, ''],
];

export async function mdevctlStartsAndStops(t: Test, sh: Session): Promise<void> {
  await t.test('start and stop end as they must, and say why not', async (t) => {
    for (const [command, status, stderr] of startsAndStops)
      t.match(
        await sh.run(`mdevctl ${command}`),
        {
          status,
          stdout: '',
          stderr: typeof stderr === 'string' ? new RegExp(`^${escaped(stderr)}$`) : stderr,
        },
        command,
      );
    const { stdout } = await sh.run('mdevctl start -p $P -t nvidia-36');
    t.match(stdout, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/, 'a UUID is chosen');
    t.strictSame(await sh.run(`ls /sys/bus/mdev/devices`), { ...quiet, stdout });
    t.strictSame(await sh.run(`mdevctl stop -u ${stdout}`), quiet);
  });
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
