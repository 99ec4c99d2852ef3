/**
 * The command line: every subcommand with its arguments, options and an example. One file per subcommand does it; each
 * is loaded when it is asked for, so that none waits for another's imports.
 * @module
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import type { AttachCommandOptions } from './attach.js';
import type { ShellName } from './completion.js';
import { EXIT_USAGE, reportFailure } from './error.js';
import type { FaultAction } from './fault.js';
import type { FixturesCommandOptions } from './fixtures.js';
import type { MonitorCommandOptions } from './monitor.js';
import type { MountCommandOptions } from './mount.js';
import type { RunCommandOptions } from './run.js';
import type { SnapshotCommandOptions } from './snapshot.js';
import type { StatusCommandOptions } from './status.js';
import type { TreeCommandOptions } from './tree.js';
import type { UmountCommandOptions } from './umount.js';
import { ValueArgument, ValueOption } from './value.js';

const { version, description } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string; description: string };

/** What a user can type in, at the end of the help. */
const example = (...lines: string[]): string => `\nExample:\n${lines.map((line) => `  ${line}\n`).join('')}`;

export const program = new Command('mdevfs')
  .description(description)
  .version(version)
  .exitOverride()
  .enablePositionalOptions()
  .addHelpText('after', example('mdevfs mount /tmp/sys', 'mdevfs run -- ls -l /sys/class/mdev_bus'));

program
  .command('mount')
  .description('show a machine with mediated devices at DIR, which is made if it is not there')
  .addArgument(new ValueArgument('<dir>', 'dir'))
  .addOption(
    new ValueOption(
      '-f, --fixture <fixture>',
      'fixture',
      'the machine: a name from fixtures/, or a JSON file (default: default)',
    ),
  )
  .addOption(
    new ValueOption(
      '--transport <transport>',
      ['fuse', 'fuse-native'],
      'how the tree gets to the kernel',
    ).default('fuse'),
  )
  .option('--no-passthrough', 'answer every read in the daemon, also of what never changes')
  .addOption(
    new ValueOption(
      '--state <file>',
      'file',
      'keep what is made of the machine there, and go on with it after a restart',
    ),
  )
  .addOption(new ValueOption('--dev <dir>', 'dir', 'show its character devices there, such as vfio/vfio'))
  .option('--foreground', 'stay, instead of leaving a daemon behind')
  .option('--uevents', 'send uevents to the netlink of this network namespace')
  .option('--udev', "the same, and to udev's listeners too, while no udevd runs there")
  .addHelpText('after', example('mdevfs mount /tmp/sys', 'mdevfs mount --fixture nvidia-t4 /tmp/t4'))
  .action(async (dir: string, options: MountCommandOptions) => {
    const { mount } = await import('./mount.js');
    process.exitCode = await mount(dir, options);
  });

program
  .command('umount')
  .description('take the tree at DIR away')
  .addArgument(new ValueArgument('<dir>', 'tree'))
  .option('-l, --lazy', 'also while it is in use')
  .addHelpText('after', example('mdevfs umount /tmp/sys'))
  .action(async (dir: string, options: UmountCommandOptions) => {
    const { umount } = await import('./umount.js');
    process.exitCode = await umount(dir, options);
  });

program
  .command('attach')
  .description('play the virtual machine that has a mediated device, until Ctrl-C')
  .addArgument(new ValueArgument('<uuid>', 'uuid'))
  .addOption(new ValueOption('--vm <name>', 'vm', 'name of the virtual machine'))
  .addOption(new ValueOption('--memory <size>', 'size', 'its memory, such as 64M (default: 64M)'))
  .option('--iommufd', "through an iommufd and the device's own node instead of a container and its group")
  .addOption(new ValueOption('--at <dir>', 'tree', 'the mounted tree, when several have the device'))
  .addHelpText('after', example('mdevfs attach 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 --vm guest1'))
  .action(async (uuid: string, options: AttachCommandOptions) => {
    const { attach } = await import('./attach.js');
    process.exitCode = await attach(uuid, options);
  });

program
  .command('plug')
  .description('plug a parent that was unplugged, or a fixture, into the machine at DIR; see docs/hotplug.md')
  .addArgument(new ValueArgument('<dir>', 'tree', 'the mounted tree; /sys in mdevfs run'))
  .addArgument(new ValueArgument('<what>', 'pluggable', 'name of a parent or of a fixture, or a JSON file'))
  .addHelpText('after', example('mdevfs plug /tmp/sys s390-ccw'))
  .action(async (dir: string, what: string) => {
    const { plug } = await import('./plug.js');
    process.exitCode = plug(dir, what);
  });

program
  .command('unplug')
  .description('unplug a parent with its devices; without a name, list the parents')
  .addArgument(new ValueArgument('<dir>', 'tree', 'the mounted tree; /sys in mdevfs run'))
  .addArgument(
    new ValueArgument(
      '[name]',
      'parent',
      'of the parent, of a PCI function, or of a fixture that was plugged in',
    ),
  )
  .addHelpText('after', example('mdevfs unplug /tmp/sys 0000:3b:00.0'))
  .action(async (dir: string, name?: string) => {
    const { unplug } = await import('./plug.js');
    process.exitCode = unplug(dir, name);
  });

program
  .command('fault')
  .description('make operations fail, take long or give too little; see docs/faults.md')
  .addArgument(new ValueArgument('<dir>', 'tree', 'the mounted tree; /sys in mdevfs run'))
  .addArgument(new ValueArgument('[action]', ['add', 'list', 'clear'], 'what to do').default('list'))
  .addArgument(
    new ValueArgument(
      '[words...]',
      'rule',
      'of a rule for add, KEY=VALUE each; its number for clear, all without it',
    ),
  )
  .addHelpText(
    'after',
    example('mdevfs fault /tmp/sys add op=read path=available_instances errno=EIO times=3'),
  )
  .action(async (dir: string, action: FaultAction, words: string[]) => {
    const { fault } = await import('./fault.js');
    process.exitCode = fault(dir, action, words);
  });

program
  .command('monitor')
  .description('print uevents of this network namespace, or of the tree at DIR, until Ctrl-C')
  .addOption(new ValueOption('--at <dir>', 'tree', 'the mounted tree, in place of netlink'))
  .option('-p, --property', 'with their variables')
  .option('-k, --kernel', "only the kernel's")
  .option('-u, --udev', "only udev's")
  .addHelpText('after', example('mdevfs monitor --at /tmp/sys'))
  .action(async (options: MonitorCommandOptions) => {
    const { monitor } = await import('./monitor.js');
    process.exitCode = await monitor(options);
  });

program
  .command('status')
  .description('list the mounted trees and their daemons')
  .addArgument(new ValueArgument('[dir]', 'tree'))
  .option('--json', 'as a JSON array')
  .addHelpText('after', example('mdevfs status --json'))
  .action(async (dir: string | undefined, options: StatusCommandOptions) => {
    const { status } = await import('./status.js');
    process.exitCode = status(dir, options);
  });

program
  .command('run')
  .description('run a command, or a shell, that sees the devices at /sys, beside those of the machine')
  .addArgument(new ValueArgument('[command...]', 'command'))
  .addOption(
    new ValueOption(
      '-f, --host <fixture>',
      'fixture',
      'the machine: a name from fixtures/, or a JSON file (default: default)',
    ),
  )
  .addOption(new Option('--root', 'with the rights of root (default for root)').conflicts('user'))
  .option('--user', 'in a user namespace, without rights (default for others)')
  .option('--no-uevents', "without uevents, and so in root's network")
  .passThroughOptions()
  .addHelpText('after', example('mdevfs run --host clients -- mdevctl types'))
  .action(async (command: string[], options: RunCommandOptions) => {
    const { run } = await import('./run.js');
    process.exitCode = await run(command, options);
  });

program
  .command('enter')
  .description('run a command, or a shell, where another mdevfs run has its devices')
  .addArgument(new ValueArgument('<pid>', 'pid', 'process of that mdevfs run, or of a command in it'))
  .addArgument(new ValueArgument('[command...]', 'command'))
  .passThroughOptions()
  .addHelpText('after', example('mdevfs enter 4711 -- ls /sys/class/mdev_bus'))
  .action(async (pid: string, command: string[]) => {
    const { enter } = await import('./enter.js');
    process.exitCode = await enter(pid, command);
  });

program
  .command('snapshot')
  .description(
    'print the machine whose /sys this is as a fixture; or of a copy, an archive, a .umockdev recording',
  )
  .addOption(new ValueOption('--sysfs <file>', 'sysfs', 'the directory or the file').default('/sys'))
  .option('--anonymize', 'without serial numbers, MAC addresses, UUIDs, PCI domains and host names')
  .addHelpText(
    'after',
    example('mdevfs snapshot --anonymize > host.json', 'mdevfs snapshot --sysfs report.tar.gz > host.json'),
  )
  .action(async (options: SnapshotCommandOptions) => {
    const { snapshot } = await import('./snapshot.js');
    process.exitCode = await snapshot(options);
  });

program
  .command('tree')
  .description('show parents, types and devices of the tree at DIR, which may be a real /sys')
  .addArgument(new ValueArgument('[dir]', 'tree'))
  .option('--json', 'as JSON')
  .option('--dot', 'as a graph for Graphviz')
  .option('--svg', 'as a picture')
  .addHelpText('after', example('mdevfs tree /tmp/sys', 'mdevfs tree --svg /tmp/sys > host.svg'))
  .action(async (dir: string | undefined, options: TreeCommandOptions) => {
    const { tree } = await import('./tree.js');
    process.exitCode = tree(dir, options);
  });

program
  .command('fixtures')
  .description('list the machines that come with the program')
  .option('--json', 'as a JSON array')
  .addHelpText('after', example('mdevfs fixtures'))
  .action(async (options: FixturesCommandOptions) => {
    const { fixtures } = await import('./fixtures.js');
    process.exitCode = fixtures(options);
  });

program
  .command('completion')
  .description('print what makes a shell complete command lines of mdevfs')
  .addArgument(new ValueArgument('<shell>', ['bash', 'zsh', 'fish']))
  .addHelpText('after', example('source <(mdevfs completion bash)'))
  .action(async (shell: ShellName) => {
    const { completion } = await import('./completion.js');
    process.exitCode = completion(shell);
  });

program
  .command('complete', { hidden: true })
  .argument('[words...]')
  .action(async (words: string[]) => {
    const { complete } = await import('./complete.js');
    process.exitCode = await complete(program, words);
  });

/** Reads the command line, does what it says, and ends with the exit code that is due. */
export async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    else process.exitCode = reportFailure(error);
  }
}
