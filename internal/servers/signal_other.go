//go:build !unix

package servers

import (
	"errors"
	"fmt"
)

func (p *process) stop() error { return fmt.Errorf("freezing a process: %w", errors.ErrUnsupported) }
func (p *process) cont() error { return fmt.Errorf("freezing a process: %w", errors.ErrUnsupported) }
