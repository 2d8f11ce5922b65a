package observer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ringway/ringway/membership"
)

// fleet is what the agents have said, and the view that follows from it. It has
// no clock and no network, and is not safe for concurrent use.
type fleet struct {
	agents []standing

	current answer // the view in force
	leader  int    // the agent that said so; -1 before the first answer

	anewSince time.Time // since when only agents of a fleet begun anew answer; zero: others do
	horizon   uint64    // the last generation of the fleet that was given up for one begun anew; 0: none was
}

// standing is what is known of one agent.
type standing struct {
	name    string
	answers bool   // its last question was answered
	said    answer // last; the zero value before the first one

	differs   bool // answers, and has another ring than the view in force
	confirmed bool // and had so at the same epoch, when both were asked again
}

func newFleet(agents []agent) fleet {
	f := fleet{leader: -1}
	for _, a := range agents {
		f.agents = append(f.agents, standing{name: a.name})
	}
	return f
}

// answered takes what an agent said. news says that it had not said the same
// before; err that its epoch has gone back.
func (f *fleet) answered(i int, a answer) (news bool, err error) {
	s := &f.agents[i]
	s.answers = true
	if !a.unchanged {
		if before := s.said.view.Epoch; a.view.Epoch < before {
			err = fmt.Errorf("epoch: got %d after %d: it was started anew and has not found the fleet, or the fleet was; it is passed over until it has caught up with %d, or nobody of the fleet before answers any more",
				a.view.Epoch, before, f.current.view.Epoch)
		}
		news = !s.said.equal(a)
		s.said = a
	}
	f.settle()
	return news, err
}

// failed takes that an agent did not answer.
func (f *fleet) failed(i int) {
	f.agents[i].answers = false
	f.settle()
}

// settle makes the view in force follow from what the agents say now.
func (f *fleet) settle() {
	next := -1
	for i := range f.agents {
		if s := f.agents[i]; !s.answers || f.leftBehind(i) || f.leader >= 0 && s.said.view.Epoch < f.current.view.Epoch {
			continue
		}
		if next < 0 || slices.Compare(f.rank(i), f.rank(next)) > 0 {
			next = i
		}
	}
	if next >= 0 {
		f.leader, f.current = next, f.agents[next].said
	}
	for i := range f.agents {
		s := &f.agents[i]
		s.differs = s.answers && s.said.fingerprint != f.current.fingerprint
		s.confirmed = s.confirmed && s.differs
	}
}

// rank orders the agents to follow: the highest epoch; of one epoch the agent
// that is followed already, then one that has the same ring.
func (f *fleet) rank(i int) []uint64 {
	s := f.agents[i]
	return []uint64{s.said.view.Epoch, oneIf(i == f.leader), oneIf(s.said.fingerprint == f.current.fingerprint)}
}

func oneIf(set bool) uint64 {
	if set {
		return 1
	}
	return 0
}

// quarrels reports whether an agent has another ring than the view in force, at
// the same epoch: then it is not just ahead or behind.
func (f *fleet) quarrels(i int) bool {
	s := f.agents[i]
	return s.differs && s.said.view.Epoch == f.current.view.Epoch
}

// confirm takes that both sides of a quarrel were asked again.
func (f *fleet) confirm(i int) { f.agents[i].confirmed = f.quarrels(i) }

// view returns the view in force, with those that disagree.
func (f *fleet) view() membership.View {
	v := f.current.view
	names := f.disagree()
	if len(names) == 0 {
		return v
	}
	v.Disagree = append(names, v.Disagree...)
	slices.Sort(v.Disagree)
	v.Disagree = slices.Compact(v.Disagree)
	return v
}

// disagree names the agents whose difference is confirmed.
func (f *fleet) disagree() (names []string) {
	for _, s := range f.agents {
		if s.confirmed {
			names = append(names, s.name)
		}
	}
	return names
}

// complaint tells who disagrees with whom; nil if nobody does.
func (f *fleet) complaint() error {
	var others []string
	for _, s := range f.agents {
		if s.confirmed {
			others = append(others, fmt.Sprintf("%s has %.16s", s.name, s.said.fingerprint))
		}
	}
	if others == nil {
		return nil
	}
	return fmt.Errorf("observer: agents disagree at epoch %d: %s has fingerprint %.16s, which is used; %s",
		f.current.view.Epoch, f.agents[f.leader].name, f.current.fingerprint, strings.Join(others, ", "))
}

// equal compares what answers say; the ETag is only a name for it.
func (a answer) equal(b answer) bool {
	return a.fingerprint == b.fingerprint && sameView(a.view, b.view)
}

// sameView compares all but the version.
func sameView(a, b membership.View) bool {
	return a.Epoch == b.Epoch && slices.Equal(a.Members, b.Members) &&
		maps.Equal(a.Fingerprints, b.Fingerprints) && slices.Equal(a.Disagree, b.Disagree)
}
