import t from 'tap';
import { lacking } from '../clients/client.js';
import { mdevfs } from '../mount/command.js';

const skip = lacking('udevadm', 'python3');

/** Listens to udev; reads nothing before there is a line on standard input, and then all there is. */
const listener = `
import select, socket, sys
s = socket.socket(16, socket.SOCK_RAW, 15)
s.bind((0, 2))
print("listening", flush=True)
sys.stdin.readline()
events = 0
while select.select([s], [], [], 0)[0]:
    s.recv(65536)
    events += 1
print(events, flush=True)
sys.stdin.readline()
`;

const script = `
  coproc python3 -c '${listener}'
  read -ru \${COPROC[0]}
  udevadm settle && echo settled
  echo 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
  udevadm settle & settle=$!
  sleep 0.5
  kill -0 $settle && echo waits
  echo >&\${COPROC[1]}
  read -ru \${COPROC[0]}
  echo $REPLY events
  wait $settle && echo settled
`;

t.test('where no udevd runs, settle waits until all who listen have read what was sent', { skip }, (t) => {
  const { stdout, stderr } = mdevfs('run', '--host', 'samples', '--', 'bash', '--norc', '-c', script);
  t.equal(stdout, 'settled\nwaits\n4 events\nsettled\n', stderr);
  t.end();
});
