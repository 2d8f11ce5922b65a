package main

import (
	"log/slog"
	"net"
	"os"
)

// notifier tells a service manager how the agent does, by the protocol of
// sd_notify: datagrams to the socket that $NOTIFY_SOCKET names, the first
// character "@" of which stands for an abstract one.
//
// https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
type notifier struct {
	address string // empty: nobody wants to know
	log     *slog.Logger
}

func newNotifier(log *slog.Logger) *notifier {
	return &notifier{address: os.Getenv("NOTIFY_SOCKET"), log: log}
}

// ready says that the agent has started. The node may not be a part of the fleet
// yet: that can take as long as keys take to be moved.
func (n *notifier) ready(status string) { n.send("READY=1\nSTATUS=" + status) }

// stopping says that the agent is about to end.
func (n *notifier) stopping() { n.send("STOPPING=1") }

func (n *notifier) send(state string) {
	if n.address == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		n.log.Debug("the service manager cannot be told", "error", err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		n.log.Debug("the service manager cannot be told", "error", err)
	}
}
