package membership

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ringway/ringway/ring"
)

const maxTextLength = 512 // bytes of an address

// NewView returns a view of that epoch with these members, for those who write a
// Source: copied, the defaults filled in, in the order of their IDs. It fails
// for members that NewManual refuses, and for what comes from outside and
// cannot be right: an ID or a zone that is no UTF-8, an address that is neither
// host:port nor unix:///path, a next weight of a member that has no step. The
// version is left 0.
func NewView(epoch uint64, members ...Member) (View, error) {
	for _, m := range members {
		if err := m.checkTexts(); err != nil {
			return View{}, err
		}
	}
	prepared, err := prepare(members)
	if err != nil {
		return View{}, err
	}
	return View{Epoch: epoch, Members: prepared}, nil
}

// checkTexts comes before all other checks: it bounds what their errors print.
func (m Member) checkTexts() error {
	node := ring.Node{ID: m.ID, Weight: 1, Zone: m.Zone}
	if err := ring.ValidateNodes([]ring.Node{node}); err != nil {
		return fmt.Errorf("membership: members: %w", err)
	}
	wrong := func(field, got, want string) error {
		return fmt.Errorf("membership: %s of member %q: got %s, want %s", field, m.ID, got, want)
	}
	switch longest := max(len(m.Kind), len(m.State), len(m.Health), len(m.Step)); {
	case longest > maxTextLength:
		return wrong("kind, state, health or step", fmt.Sprint(longest, " bytes"), "a word")
	case !utf8.ValidString(m.ID):
		return wrong("ID", fmt.Sprintf("%q", m.ID), "UTF-8")
	case !utf8.ValidString(m.Zone):
		return wrong("zone", fmt.Sprintf("%q", m.Zone), "UTF-8")
	case len(m.Address) > maxTextLength:
		return wrong("address", fmt.Sprint(len(m.Address), " bytes"), "at most 512")
	case m.Step == "" && m.NextWeight != 0:
		return wrong("next weight", fmt.Sprint(m.NextWeight), "0 without a step")
	case m.Address == "": // prepare knows who may be without
		return nil
	case !plausible(m.Address):
		return wrong("address", fmt.Sprintf("%q", m.Address), "host:port or unix:///path")
	}
	return nil
}

// plausible reports whether an address has one of the forms that a client can
// dial. Whether anything is there is another question.
func plausible(address string) bool {
	if !utf8.ValidString(address) || strings.ContainsFunc(address, unicode.IsControl) {
		return false
	}
	if path, isUnix := strings.CutPrefix(address, "unix://"); isUnix {
		return len(path) > 1 && path[0] == '/'
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, " /@") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
