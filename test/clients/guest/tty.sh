# Functions of a guest's shell for serial ports.

# ttys DEVICE: serial ports that the kernel's driver has found in a PCI device
ttys() { ls "/sys/bus/pci/devices/$1/tty"; }

# tty_echo TTY TEXT: sends a text and prints what comes back, until there is as much of it or nothing more for a while
tty_echo() {
  exec 4<>"/dev/$1" && stty raw -echo 115200 <&4
  printf %s "$2" >&4
  timeout 20 head -c "${#2}" <&4
  exec 4>&-
}
