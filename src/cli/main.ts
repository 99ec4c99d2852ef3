#!/usr/bin/env node
/**
 * The command line. One file per subcommand; each is loaded when it is asked for, so that none waits for
 * another's imports.
 * @module
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import type { AttachCommandOptions } from './attach.js';
import { EXIT_USAGE, reportFailure } from './error.js';
import type { MonitorCommandOptions } from './monitor.js';
import type { MountCommandOptions } from './mount.js';
import type { RunCommandOptions } from './run.js';
import type { ServeRunOptions } from './serve-run.js';
import type { StatusCommandOptions } from './status.js';
import type { UmountCommandOptions } from './umount.js';

const { version, description } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string; description: string };

const program = new Command('mdevfs')
  .description(description)
  .version(version)
  .exitOverride()
  .enablePositionalOptions();

program
  .command('mount')
  .description('show a machine with mediated devices at DIR, which is made if it is not there')
  .argument('<dir>')
  .option('-f, --fixture <fixture>', 'the machine: a name from fixtures/, or a JSON file (default: default)')
  .addOption(
    new Option('--transport <transport>', 'how the tree gets to the kernel')
      .choices(['fuse', 'fuse-native'])
      .default('fuse'),
  )
  .option('--no-passthrough', 'answer every read in the daemon, also of what never changes')
  .option('--foreground', 'stay, instead of leaving a daemon behind')
  .addOption(new Option('--uevents', 'send uevents to the netlink of this network namespace').hideHelp())
  .addOption(new Option('--udev', "send them to udev's listeners too, while no udevd runs there").hideHelp())
  .action(async (dir: string, options: MountCommandOptions) => {
    const { mount } = await import('./mount.js');
    process.exitCode = await mount(dir, options);
  });

program
  .command('umount')
  .description('take the tree at DIR away')
  .argument('<dir>')
  .option('-l, --lazy', 'also while it is in use')
  .action(async (dir: string, options: UmountCommandOptions) => {
    const { umount } = await import('./umount.js');
    process.exitCode = await umount(dir, options);
  });

program
  .command('attach')
  .description('play the virtual machine that has a mediated device, until Ctrl-C')
  .argument('<uuid>')
  .option('--vm <name>', 'name of the virtual machine')
  .option('--memory <size>', 'its memory, such as 64M (default: 64M)')
  .option('--iommufd', "through an iommufd and the device's own node instead of a container and its group")
  .option('--at <dir>', 'the mounted tree, when several have the device')
  .action(async (uuid: string, options: AttachCommandOptions) => {
    const { attach } = await import('./attach.js');
    process.exitCode = await attach(uuid, options);
  });

program
  .command('monitor')
  .description('print uevents of this network namespace, or of the tree at DIR, until Ctrl-C')
  .option('--at <dir>', 'the mounted tree, in place of netlink')
  .option('-p, --property', 'with their variables')
  .option('-k, --kernel', "only the kernel's")
  .option('-u, --udev', "only udev's")
  .action(async (options: MonitorCommandOptions) => {
    const { monitor } = await import('./monitor.js');
    process.exitCode = await monitor(options);
  });

program
  .command('status')
  .description('list the mounted trees and their daemons')
  .argument('[dir]')
  .option('--json', 'as a JSON array')
  .action(async (dir: string | undefined, options: StatusCommandOptions) => {
    const { status } = await import('./status.js');
    process.exitCode = status(dir, options);
  });

program
  .command('run')
  .description('run a command, or a shell, that sees the devices at /sys, beside those of the machine')
  .argument('[command...]')
  .option('-f, --host <fixture>', 'the machine: a name from fixtures/, or a JSON file (default: default)')
  .addOption(new Option('--root', 'with the rights of root (default for root)').conflicts('user'))
  .option('--user', 'in a user namespace, without rights (default for others)')
  .option('--no-uevents', "without uevents, and so in root's network")
  .passThroughOptions()
  .action(async (command: string[], options: RunCommandOptions) => {
    const { run } = await import('./run.js');
    process.exitCode = await run(command, options);
  });

program
  .command('enter')
  .description('run a command, or a shell, where another mdevfs run has its devices')
  .argument('<pid>', 'process of that mdevfs run, or of a command in it')
  .argument('[command...]')
  .passThroughOptions()
  .action(async (pid: string, command: string[]) => {
    const { enter } = await import('./enter.js');
    process.exitCode = await enter(pid, command);
  });

program
  .command('serve-run', { hidden: true })
  .argument('<fixture>')
  .option('--uevents')
  .action(async (fixture: string, options: ServeRunOptions) => {
    const { serveRun } = await import('./serve-run.js');
    process.exit(await serveRun(fixture, options).catch(reportFailure));
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else process.exitCode = reportFailure(error);
}
