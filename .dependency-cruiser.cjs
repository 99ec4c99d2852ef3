// The rooms of the house, top floor first: a room imports only from itself and from rooms above it.
const rooms = [
  'lib',
  'uapi',
  'kernfs',
  'sysfs',
  'base',
  'pci',
  'iommu',
  'vfio',
  'mdev',
  'kvm',
  'drivers',
  'machine',
  'fuse',
  'host',
  'cli',
];
const below = (room) => rooms.slice(rooms.indexOf(room) + 1).join('|');
const model = rooms.slice(0, rooms.indexOf('fuse'));

module.exports = {
  forbidden: [
    ...rooms.slice(0, -1).map((room) => ({
      name: `${room}-imports-downstairs`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(${below(room)})/` },
    })),
    {
      name: 'fuse-knows-kernfs-only',
      severity: 'error',
      from: { path: '^src/fuse/' },
      to: { path: '^src/(sysfs|base|pci|iommu|vfio|mdev|kvm|drivers|machine)/' },
    },
    {
      name: 'model-does-no-io',
      comment:
        'the model is synchronous and free of I/O: no fs, net, child processes, workers or native code',
      severity: 'error',
      from: { path: `^src/(${model.join('|')})/` },
      to: { dependencyTypes: ['core'], pathNot: '^(buffer|node:buffer)$' },
    },
    {
      name: 'only-host-touches-the-machine',
      comment:
        'child processes and native calls live in src/host; src/fuse may only read and write its own descriptor',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/host/' },
      to: { path: '^(child_process|worker_threads|node_modules/koffi)' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
