package agent

import (
	"errors"
	"fmt"
)

// SetToken replaces the token that changes need.
func (a *Agent) SetToken(token string) { a.front.guard.setToken(token) }

// SetKeys replaces the keys of the gossip: the first is used to send from now
// on. To replace a key without a pause, give every agent the new one as a
// further key, then to every agent as the first, then take the old one away.
func (a *Agent) SetKeys(keys [][]byte) error {
	a.keysMu.Lock()
	defer a.keysMu.Unlock()
	if len(keys) == 0 || len(a.keys) == 0 {
		if len(keys) == len(a.keys) {
			return nil
		}
		return errors.New("agent: encryption cannot be turned on or off without a restart")
	}
	for _, key := range keys {
		if err := a.gossip.AddKey(key); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
	}
	if err := a.gossip.UseKey(keys[0]); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	for _, old := range a.keys {
		if !contains(keys, old) {
			if err := a.gossip.RemoveKey(old); err != nil {
				return fmt.Errorf("agent: %w", err)
			}
		}
	}
	a.keys = keys
	return nil
}
