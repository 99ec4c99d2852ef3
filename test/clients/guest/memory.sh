# Functions of a guest's shell for the memory that its kernel leaves alone (memmap= of its command line), so that devices
# may be told to read and write it. DMA is the address of its first byte.

DMA=0x4000000
PAGE=4096

# memory_write ADDRESS: writes what is read; the address is a multiple of a page
memory_write() {
  dd of=/dev/mem bs="$PAGE" seek="$(($1 / PAGE))" conv=notrunc 2>/dev/null
}

# memory_read ADDRESS BYTES: the address is a multiple of a page
memory_read() {
  dd if=/dev/mem bs="$PAGE" skip="$(($1 / PAGE))" count="$((($2 + PAGE - 1) / PAGE))" 2>/dev/null | head -c "$2"
}
