package cache

// TagKey returns the key under which the store keeps the version of a tag, for tools
// that look at it. A tag with a Personal part needs ManagerConfig.Secret.
func (m *Manager) TagKey(t Tag) (string, error) {
	ref, err := m.tagRef(t)
	return ref.text, err
}
