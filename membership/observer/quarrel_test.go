package observer

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestDisagreement: two rings at one epoch are reported once they have lasted,
// once; the ring does not change; and it is over when they agree.
func TestDisagreement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent(t, ringOf(t, 5, "x"))
		b, c := newFakeAgent(t, ringOf(t, 4, "x")), newFakeAgent(t, ringOf(t, 4, "x"))
		o := observe(t, a, b, c)
		first := o.next(time.Second)
		b.say(t, ringOf(t, 5, "x", "y"))
		o.quiet(9 * time.Second)
		v := o.next(2 * time.Second)
		if v.Epoch != 5 || idsOf(v) != "x" || !slices.Equal(v.Disagree, []string{"http://b"}) {
			t.Errorf("from %+v to %+v", first, v)
		}
		o.told("observer: agents disagree at epoch 5: http://a has fingerprint ")
		o.quiet(10 * time.Minute)
		o.told()
		// A second one is news, and so is that the first gives in.
		c.say(t, ringOf(t, 5, "z"))
		if v := o.next(time.Minute); idsOf(v) != "x" || !slices.Equal(v.Disagree, []string{"http://b", "http://c"}) {
			t.Errorf("got %+v", v)
		}
		o.told("http://b has ")
		b.say(t, ringOf(t, 5, "x"))
		if v := o.next(time.Minute); !slices.Equal(v.Disagree, []string{"http://c"}) {
			t.Errorf("got %+v", v)
		}
		o.told("http://c has ")
		// The next epoch, on which all agree, ends it.
		for _, agent := range []*fakeAgent{a, b, c} {
			agent.say(t, ringOf(t, 6, "x", "y", "z"))
		}
		time.Sleep(time.Minute)
		if v := o.next(time.Second); v.Epoch != 6 || v.Disagree != nil {
			t.Errorf("got %+v", v)
		}
		o.told()
	})
}

// TestDisagreementThatPasses: two changes by one stamp, of which each agent has
// heard another one first, are nothing to report, whether the agents tell of the
// end of it by themselves or have to be asked.
func TestDisagreementThatPasses(t *testing.T) {
	for name, noETag := range map[string]bool{"with ETag": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newFakeAgent(t, ringOf(t, 5, "x")), newFakeAgent(t, ringOf(t, 5, "y"))
				a.noETag, b.noETag = noETag, noETag
				o := observe(t, a, b)
				o.next(time.Second)
				time.Sleep(3 * time.Second)
				a.say(t, ringOf(t, 5, "x", "y"))
				b.say(t, ringOf(t, 5, "x", "y"))
				if v := o.next(8 * time.Second); idsOf(v) != "x y" || v.Epoch != 5 || v.Disagree != nil {
					t.Errorf("got %+v", v)
				}
				o.quiet(5 * time.Minute)
				o.told()
			})
		})
	}
}

// TestLeaderLostInDisagreement: when nobody is left who says what is used, what
// the others say is used.
func TestLeaderLostInDisagreement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeAgent(t, ringOf(t, 5, "x")), newFakeAgent(t, ringOf(t, 4, "x"))
		o := observe(t, a, b)
		o.next(time.Second)
		b.say(t, ringOf(t, 5, "y"))
		o.next(time.Minute)
		o.told("agents disagree")
		a.fail(status(500))
		if v := o.next(time.Minute); idsOf(v) != "y" || v.Disagree != nil {
			t.Errorf("got %+v", v)
		}
		o.told("http://a: status: got 500")
	})
}

// TestDisagreementOverManyEpochs: agents that are configured differently differ
// at each epoch, and reach it one after the other. That is one disagreement.
func TestDisagreementOverManyEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeAgent(t, ringOf(t, 2, "x")), newFakeAgent(t, ringOf(t, 1, "x"))
		o := observe(t, a, b)
		o.next(time.Second)
		b.say(t, ringOf(t, 2, "y"))
		o.next(time.Minute)
		o.told("agents disagree at epoch 2")
		for epoch := uint64(3); epoch < 20; epoch++ {
			a.say(t, ringOf(t, epoch, "x"))
			if v := o.next(time.Minute); v.Epoch != epoch || !slices.Equal(v.Disagree, []string{"http://b"}) {
				t.Errorf("at epoch %d: %+v", epoch, v)
			}
			b.say(t, ringOf(t, epoch, "y"))
			time.Sleep(time.Duration(epoch) * 7 * time.Second)
		}
		o.told()
	})
}

// TestOldAnswerIsDropped: of two questions to one agent that cross, the answer
// to the later one holds.
func TestOldAnswerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent(t, ringOf(t, 5, "x"))
		o := observe(t, a)
		o.next(time.Second)
		o.mu.Lock()
		old, number := answer{view: o.published, fingerprint: "old"}, o.questions
		o.mu.Unlock()
		a.say(t, ringOf(t, 6, "y"))
		o.next(time.Second)
		synctest.Wait()
		if news, reports, err := o.take(0, number, old, nil); news || reports != nil || err != nil {
			t.Errorf("an old answer: %v %v %v", news, reports, err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.fleet.agents[0].said.view.Epoch != 6 {
			t.Error("it was taken")
		}
	})
}
