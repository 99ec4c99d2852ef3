"""
The control socket of udevd, as far as `udevadm settle` uses it: whoever connects waits until the connection is closed. Every
caller waits a moment, in which listeners take in the events that were sent to them. libvirt looks for a new device once
settle has returned, and again only five seconds later.
"""

import os
import socket
import threading
import time

PATH = '/run/udev/control'
MOMENT = 0.1

listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
# Under another name, which is what /proc/net/unix shows: nobody is to think that a udevd runs.
listener.bind(f'{PATH}.settle')
os.rename(f'{PATH}.settle', PATH)
listener.listen()


def answer(connection):
    time.sleep(MOMENT)
    connection.close()


while True:
    threading.Thread(target=answer, args=(listener.accept()[0],)).start()
