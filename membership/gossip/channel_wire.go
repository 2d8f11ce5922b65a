package gossip

import (
	"encoding/binary"
	"fmt"

	"github.com/ringway/ringway/membership/internal/ledger"
)

// A message of a channel on the wire:
//
//	mark 1 · length of the cluster's name (uvarint) · name · length of the channel's
//	name (uvarint) · name · data …
//
// The mark is where messages of the membership protocol have their version, which
// counts from 1 and must never reach it. So neither is taken for the other, and a
// member that does not know channels ignores them as those of an unknown version.
const channelMark = 0xC8

// A version that reached the mark would not compile.
const _ = uint8(channelMark - 1 - ledger.Version)

const maxChannelName = 64

func encodeChannelMessage(cluster, name string, data []byte) []byte {
	b := make([]byte, 0, 1+2+len(cluster)+2+len(name)+len(data))
	b = append(b, channelMark)
	b = append(binary.AppendUvarint(b, uint64(len(cluster))), cluster...)
	b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	return append(b, data...)
}

// decodeChannelMessage reads a message. The data are part of b. It never panics,
// whatever the bytes.
func decodeChannelMessage(b []byte) (cluster, name string, data []byte, err error) {
	rest := b[1:]
	if cluster, rest, err = channelText(rest, "cluster", ledger.MaxClusterLength); err != nil {
		return "", "", nil, err
	}
	if name, rest, err = channelText(rest, "name", maxChannelName); err != nil {
		return "", "", nil, err
	}
	if len(rest) > MaxChannelMessage {
		return "", "", nil, fmt.Errorf("message of a channel: got %d bytes, want at most %d", len(rest), MaxChannelMessage)
	}
	return cluster, name, rest, nil
}

func channelText(b []byte, what string, most uint64) (text string, rest []byte, err error) {
	length, size := binary.Uvarint(b)
	if size <= 0 || length > most || length > uint64(len(b)-size) {
		return "", nil, fmt.Errorf("message of a channel: %s: got %d bytes with a length of %d, want at most %d that are there", what, len(b), length, most)
	}
	return string(b[size : size+int(length)]), b[size+int(length):], nil
}

// carry takes a message of a channel.
func (d delegate) carry(b []byte) {
	cluster, name, data, err := decodeChannelMessage(b)
	switch {
	case err != nil:
		d.ignore(malformed, "a channel", err.Error())
	case cluster != d.cfg.Cluster:
		d.ignore(otherCluster, "a channel", fmt.Sprintf("it is of cluster %q, this member of %q", cluster, d.cfg.Cluster))
	case !d.channels.deliver(name, data):
		// Nothing to warn of: not every member uses what others do.
		d.counters.ignored[otherChannel].Add(1)
	}
}
