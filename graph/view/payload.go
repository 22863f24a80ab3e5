package view

import (
	"context"

	"github.com/goalgraph/goalgraph/model"
)

// Listed is what the payloads of mutations have in common: the site whose lists changed. It is read where it is selected.
type Listed struct {
	Read func(context.Context) (*model.Site, error)
}

// Site returns the site as it is after the mutation.
func (l Listed) Site(ctx context.Context) (*model.Site, error) { return l.Read(ctx) }

// ListedSites are all sites that the caller reads. They are read where they are selected.
type ListedSites struct {
	Read func(context.Context) ([]model.Site, error)
}

// Sites returns the sites as they are after the mutation.
func (l ListedSites) Sites(ctx context.Context) ([]model.Site, error) { return l.Read(ctx) }

// The payloads of the mutations. Those of several mutations are of one type where they hold the same.
type (
	// ChangedSite is a site that was made or changed.
	ChangedSite struct {
		ListedSites
		Site *model.Site
	}
	// DeletedSite is a site that is gone.
	DeletedSite struct {
		ListedSites
		DeletedID string
	}
	// ChangedSegment is a segment that was made or changed.
	ChangedSegment struct {
		Listed
		Segment *model.Segment
	}
	// ChangedSegments are segments that were changed together.
	ChangedSegments struct {
		Listed
		Segments []model.Segment
	}
	// ChangedGoal is a goal that was made or changed.
	ChangedGoal struct {
		Listed
		Goal *model.Goal
	}
	// ChangedGoals are goals that were changed together.
	ChangedGoals struct {
		Listed
		Goals []model.Goal
	}
	// ChangedExperiment is an experiment that was made or changed.
	ChangedExperiment struct {
		Listed
		Experiment *model.Experiment
	}
	// ChangedExperiments are experiments that were changed together.
	ChangedExperiments struct {
		Listed
		Experiments []model.Experiment
	}
	// ConvertedSegment is the goal that a segment became.
	ConvertedSegment struct {
		Listed
		Goal             *model.Goal
		RemovedSegmentID string
	}
	// ConvertedGoal is the segment that a goal became.
	ConvertedGoal struct {
		Listed
		Segment       *model.Segment
		RemovedGoalID string
	}
	// Deleted is an object that is gone.
	Deleted struct {
		Listed
		DeletedID string
	}
	// DeletedAll are objects that are gone together.
	DeletedAll struct {
		Listed
		DeletedIDs []string
	}
)

// DefinitionsChange is a site after a change of its definitions.
type DefinitionsChange struct {
	Revision string
	Site     *model.Site
}
