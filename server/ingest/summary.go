package ingest

// Summary tells what an import did; as JSON it is the import's last line.
//
// Lines = Messages + Rejected + Bots + Ignored. Empty lines are not counted.
type Summary struct {
	// Format is the format of the files; of several, they are separated by commas.
	Format string `json:"format"`
	Lines  int    `json:"lines"`
	// Messages were written, or known already: Duplicates counts the latter.
	Messages   int `json:"messages"`
	Duplicates int `json:"duplicates"`
	// Rejected lines are none of the format, or older than their site keeps sessions.
	Rejected int `json:"rejected"`
	// expired are those of them that are too old.
	expired int
	// Bots are page views left out because crawlers made them.
	Bots int `json:"bots"`
	// Ignored lines are well formed and tell of nothing that is counted.
	Ignored int `json:"ignored"`
	// Visitors and Sessions are the site's after the import. Import leaves them to
	// its caller.
	Visitors int `json:"visitors"`
	Sessions int `json:"sessions"`
}

func (s *Summary) count(is fate) {
	s.Lines++
	switch is {
	case kept:
		s.Messages++
	case ignored:
		s.Ignored++
	case bot:
		s.Bots++
	case rejected:
		s.Rejected++
	}
}

// expire counts messages as rejected that were too old to be written.
func (s *Summary) expire(messages int) {
	s.Messages -= messages
	s.Rejected += messages
	s.expired += messages
}

func (s *Summary) add(other Summary) {
	s.Lines += other.Lines
	s.Messages += other.Messages
	s.Duplicates += other.Duplicates
	s.Rejected += other.Rejected
	s.Bots += other.Bots
	s.Ignored += other.Ignored
	s.expired += other.expired
}
