import t from 'tap';
import { lacking, mountClients, Shell, UUID } from './client.js';

const skip = lacking('python3');

t.test('shell scripts as vendors document them', { skip: lacking('bash', 'grep') }, async (t) => {
  const sh = new Shell(mountClients(t));

  await t.test('find the types by name and create by hand', async (t) => {
    const script = `
      cd "$D/bus/pci/devices" || exit
      grep -l "GRID M10-0Q" */mdev_supported_types/*/name
      cd "$P/mdev_supported_types" || exit
      for type in *; do echo "$type: $(cat $type/name) $(cat $type/available_instances)"; done
      grep -o "framebuffer=[0-9]*M" nvidia-36/description
      echo "$U" > nvidia-36/create && cat nvidia-36/available_instances
      ls nvidia-36/devices; ls -d ../$U; basename $(readlink ../$U/driver)`;
    t.equal(
      sh.output(script),
      `0000:c0:02.0/mdev_supported_types/nvidia-36/name
0000:c0:03.0/mdev_supported_types/nvidia-36/name
nvidia-35: GRID M10-0B 2
nvidia-36: GRID M10-0Q 2
framebuffer=512M
1
${UUID}
../${UUID}
nvidia-vgpu-vfio
`,
    );
  });

  await t.test('set parameters, and remove', async (t) => {
    const script = `
      cd "$D/bus/mdev/devices/$U" || exit
      echo "frame_rate_limiter=0" > nvidia_vgpu_params; cat nvidia_vgpu_params
      echo bad > nvidia_vgpu_params
      echo 1 > remove; cd /; ls "$D/bus/mdev/devices"`;
    t.match(sh.output(script), /^frame_rate_limiter=0\n.*: Invalid argument\n$/);
  });

  await t.test('assign queues of cryptographic adapters', async (t) => {
    const script = `
      echo "$U" > "$D/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create"
      cd "$D/devices/vfio_ap/matrix/$U" || exit
      echo 5 > assign_adapter; echo 4 > assign_domain; echo 0xab > assign_domain; echo 0xab > assign_control_domain
      cat matrix control_domains; echo 64 > assign_adapter
      echo 1 > remove`;
    t.match(sh.output(script), /^05\.0004\n05\.00ab\n00ab\n.*: No such device\n$/);
  });
});

t.test('python3 creates, and removes through the links of a type', { skip }, async (t) => {
  const sh = new Shell(mountClients(t));
  const program = `
import errno, os
root, uuid, parent = os.environ['D'], os.environ['U'], os.environ['P']
kind = f'{root}/class/mdev_bus/{parent}/mdev_supported_types/nvidia-36'
def write(path, text):
    with open(path, 'w') as file:
        file.write(text)
write(f'{kind}/create', uuid)
print(open(f'{kind}/available_instances').read().strip(), os.listdir(f'{kind}/devices') == [uuid])
try:
    write(f'{kind}/create', uuid)
except OSError as error:
    print(errno.errorcode[error.errno])
device = f'{root}/bus/mdev/devices/{uuid}'
print(os.path.basename(os.path.dirname(os.path.realpath(device))), os.path.basename(os.readlink(f'{device}/mdev_type')))
print([entry.is_symlink() for entry in os.scandir(f'{root}/bus/mdev/devices')])
write(f'{kind}/devices/{uuid}/remove', '1')
print(os.path.exists(device), os.listdir(f'{kind}/devices'))
`;
  t.equal(
    sh.output(`python3 - <<'END'\n${program}\nEND`),
    '1 True\nEEXIST\n0000:c0:03.0 nvidia-36\n[True]\nFalse []\n',
  );
});
