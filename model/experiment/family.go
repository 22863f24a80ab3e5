package experiment

import (
	"context"
	"slices"
	"sync"

	"github.com/goalgraph/goalgraph/model/stats"
)

// Families are the trials of readings that are looked at together: those by the primary metric, and those by all others.
type Families struct{ primary, others family }

// NewFamilies returns the families of readings, which are asked for when they are needed.
func NewFamilies(readings func(context.Context) ([]*Reading, error)) *Families {
	of := func(isPrimary bool) family {
		return family{trials: func(ctx context.Context) (trials []*Trial, err error) {
			all, err := readings(ctx)
			for _, r := range all {
				for _, t := range r.Trials {
					if (t.Role == PrimaryRole) == isPrimary {
						trials = append(trials, t)
					}
				}
			}
			return trials, err
		}}
	}
	return &Families{of(true), of(false)}
}

func (f *Families) of(role Role) *family {
	if role == PrimaryRole {
		return &f.primary
	}
	return &f.others
}

// family is trials whose p-values are adjusted together.
type family struct {
	trials func(context.Context) ([]*Trial, error)

	mu      sync.Mutex
	figures map[*Trial][]stats.Figure
}

// adjusted returns the adjusted figures of a trial, and how many are looked at together.
func (f *family) adjusted(ctx context.Context, t *Trial) ([]stats.Figure, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if _, err := t.figures(); err != nil {
		return nil, 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.figures == nil {
		if err := f.adjust(ctx); err != nil {
			return nil, 0, err
		}
	}
	return f.figures[t], len(f.figures), nil
}

func (f *family) adjust(ctx context.Context) error {
	trials, err := f.trials(ctx)
	if err != nil {
		return err
	}
	adjusted, baseline := make(map[*Trial][]stats.Figure, len(trials)), 0
	var all [][]stats.Figure
	for _, t := range trials {
		if err := ctx.Err(); err != nil {
			return err
		}
		figures, err := t.figures()
		if err != nil || len(figures) == 0 { // it is not looked at
			continue
		}
		adjusted[t], baseline = slices.Clone(figures), t.reading.baseline()
		all = append(all, adjusted[t])
	}
	if len(all) == 1 {
		stats.AdjustVariants(all[0], baseline)
	} else {
		stats.AdjustMetrics(all, baseline)
	}
	f.figures = adjusted
	return nil
}
