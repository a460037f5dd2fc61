package doctor

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// tryNftables asks the kernel for the generation of its rules (linux/netfilter/
// nf_tables.h, NFT_MSG_GETGEN). It changes nothing.
func tryNftables() Answer {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return Answer{}
	}
	defer unix.Close(fd)
	wait := unix.Timeval{Sec: 2}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return Answer{Unknown: err.Error()}
	}
	const header, family = unix.SizeofNlMsghdr, 4
	msg := make([]byte, header+family)
	binary.NativeEndian.PutUint32(msg[0:], uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return Answer{Unknown: err.Error()}
	}
	answer := make([]byte, unix.Getpagesize())
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < header+4 {
		return Answer{Unknown: "no answer from the kernel"}
	}
	if binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		if errno := int32(binary.NativeEndian.Uint32(answer[header:])); errno == -int32(unix.EPERM) {
			return Answer{Unknown: "only root may ask"}
		}
		return Answer{}
	}
	return Answer{Yes: true}
}
