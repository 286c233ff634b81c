// 电费催缴 · The same rule as plugins/arrears-reminder, in Go.
//
// 规则是 decide，一行一条。The rule is decide, one line for each case.
package main

import (
	"slices"

	gb "gridbell.sdk"
)

type parameters struct {
	Steps          []int64     `name:"steps" default:"[7,3,1]" least:"1" most:"60" title:"提前天数" about:"违约金起算日之前第几天提醒，可以有多个，例如 7、3、1。不填为不提醒。"`
	Counting       gb.Counting `name:"counting" default:"calendar" title:"天数口径" about:"自然日，或工作日（按国务院公布的日历，含调休；尚未公布的年份按周一至周五）。"`
	Minimum        gb.Fen      `name:"minimum" default:"100" least:"1" most:"100000000" title:"最低欠费金额（分）" about:"欠费少于此数不提醒。"`
	ImportantSteps *[]int64    `name:"important_steps" least:"1" most:"60" title:"重要客户的提前天数" about:"不设为与其他客户相同；设为空为不提醒重要客户。"`
	PrepaidSteps   []int64     `name:"prepaid_steps" default:"[]" least:"1" most:"60" title:"费控客户的提前天数" about:"费控客户由余额预警提醒，所以默认为空，即不提醒。"`
	OverdueEvery   int64       `name:"overdue_every" default:"7" least:"1" most:"60" title:"逾期后每隔几天再提醒" about:"从违约金起算日起，按自然日计算。"`
	OverdueTimes   int64       `name:"overdue_times" default:"0" least:"0" most:"12" title:"逾期后最多提醒几次" about:"0 为逾期后不再提醒。"`
}

var (
	reminder          = gb.NewNotice("reminder", "催缴提醒", gb.FenArg("amount"), gb.DateArg("late_fee_from"))
	reminderImportant = gb.NewNotice("reminder-important", "催缴提醒（重要客户）", gb.FenArg("amount"), gb.DateArg("late_fee_from"))
	overdue           = gb.NewNotice("overdue", "逾期提醒", gb.FenArg("amount"), gb.DateArg("late_fee_from"))

	nothingOwed     = gb.NewReason("nothing-owed", "没有欠费")
	belowMinimum    = gb.NewReason("below-minimum", "欠费少于最低金额")
	prepaidApart    = gb.NewReason("prepaid-apart", "费控客户不催缴")
	importantApart  = gb.NewReason("important-apart", "重要客户不催缴")
	noSteps         = gb.NewReason("no-steps", "未设提前天数")
	tooEarly        = gb.NewReason("too-early", "还没到提醒的日子")
	alreadySaid     = gb.NewReason("already-said", "这一步已经提醒过")
	dueSoon         = gb.NewReason("due-soon", "临近违约金起算日")
	overdueNotAsked = gb.NewReason("overdue-not-asked", "逾期后不再提醒")
	overdueOver     = gb.NewReason("overdue-over", "逾期提醒的次数已满")
	isOverdue       = gb.NewReason("overdue", "已过违约金起算日")

	_ = gb.NewRoute("sms")
)

// ladder is the steps of one kind of customer: up to which late-fee date each is due today, the furthest first.
type ladder struct {
	upTo  [8]gb.Date
	steps uint8
}

type rule struct {
	today                        gb.Date
	minimum                      gb.Fen
	ordinary, important, prepaid ladder
	overdueEvery, overdueTimes   int64
}

func ladderOf(run *gb.Run, days []int64, counting gb.Counting) ladder {
	l := ladder{}
	days = slices.Clone(days)
	slices.Sort(days)
	slices.Reverse(days)
	for _, d := range slices.Compact(days) {
		l.upTo[l.steps] = run.Ahead(d, counting)
		l.steps++
	}
	return l
}

func prepare(run *gb.Run, p *parameters) (rule, error) {
	important := p.Steps
	if p.ImportantSteps != nil {
		important = *p.ImportantSteps
	}
	return rule{
		today: run.Today(), minimum: p.Minimum,
		ordinary:     ladderOf(run, p.Steps, p.Counting),
		important:    ladderOf(run, important, p.Counting),
		prepaid:      ladderOf(run, p.PrepaidSteps, p.Counting),
		overdueEvery: p.OverdueEvery, overdueTimes: p.OverdueTimes,
	}, nil
}

// 可能提醒谁：欠费够数，违约金起算日在提醒的时间范围之内，最后一步还没说过。Whom the rule could choose at all.
func interest(r *rule) gb.Interest {
	who := gb.Nobody()
	earliest := r.today.Plus(1 - r.overdueTimes*r.overdueEvery)
	add := func(l *ladder, kind gb.Bound) {
		if l.steps > 0 {
			last := int64(l.steps) + r.overdueTimes - 1
			who = who.Or(
				gb.Between(gb.LateFeeFrom, earliest, l.upTo[0]), gb.AtLeast(gb.Arrears, r.minimum), gb.AtMost(gb.RemindedStep, last), kind,
			)
		}
	}
	add(&r.ordinary, gb.HasNone(gb.TraitsColumn, gb.TraitImportant|gb.TraitPrepaid))
	add(&r.important, gb.HasAll(gb.TraitsColumn, gb.TraitImportant))
	add(&r.prepaid, gb.HasAll(gb.TraitsColumn, gb.TraitPrepaid))
	return who
}

func decide(r *rule, c gb.Customer) gb.Answer {
	// 没有欠费，或欠费太少：不提醒。Nothing owed, or too little: say nothing.
	arrears, due := c.Arrears(), c.LateFeeFrom()
	if arrears <= 0 || due == gb.NoDate {
		return nothingOwed.Skip()
	}
	if arrears < r.minimum {
		return belowMinimum.Skip()
	}

	// 费控客户、重要客户各有自己的提前天数；既是费控又是重要的，按费控。Prepaid and important customers have steps of their own.
	traits := c.Traits()
	important := traits.Has(gb.TraitImportant)
	l, apart := &r.ordinary, noSteps
	if traits.Has(gb.TraitPrepaid) {
		l, apart = &r.prepaid, prepaidApart
	} else if important {
		l, apart = &r.important, importantApart
	}
	if l.steps == 0 {
		return apart.Skip()
	}

	// 已过违约金起算日：每隔几天提醒一次，次数有限。The late fee has started: again every few days, a few times.
	if due <= r.today {
		return r.again(c, l, arrears, due)
	}

	// 到了第几步？只说最近的一步，说过的不再说。Which step is it? Only the latest is said, and none twice.
	step := uint8(0)
	for step < l.steps && due <= l.upTo[step] {
		step++
	}
	if step == 0 {
		return tooEarly.Skip()
	}
	if step <= c.RemindedStep() {
		return alreadySaid.Skip()
	}
	notice := reminder
	if important {
		notice = reminderImportant
	}
	// 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
	return notice.Say(int64(arrears), int64(due)).Step(step).Expires(due.At(0, 0)).Because(dueSoon)
}

// 逾期提醒的步数接在提前各步之后。The steps of overdue reminders follow those before the due date.
func (r *rule) again(c gb.Customer, l *ladder, arrears gb.Fen, due gb.Date) gb.Answer {
	if r.overdueTimes == 0 {
		return overdueNotAsked.Skip()
	}
	round := r.today.Since(due) / r.overdueEvery
	if round >= r.overdueTimes {
		return overdueOver.Skip()
	}
	step := l.steps + 1 + uint8(round)
	if step <= c.RemindedStep() {
		return alreadySaid.Skip()
	}
	// 到下一次提醒的日子就不发了。Worthless once the next one is due.
	next := due.Plus((round + 1) * r.overdueEvery)
	return overdue.Say(int64(arrears), int64(due)).Step(step).Expires(next.At(0, 0)).Because(isOverdue)
}

func init() {
	gb.Export(gb.Policy[rule, parameters]{
		Name: "arrears-reminder-go", Version: "0.1.0", Topic: "arrears-reminder",
		About:    "电费催缴：在违约金起算日之前分步提醒欠费客户，例如提前 7 天、3 天、1 天各一次；中间漏了几天，只补最近的一步，不重复。重要客户和费控客户可以单独设定，也可以不提醒；违约金起算之后可以每隔几天再提醒。",
		Triggers: []gb.Trigger{gb.OnSchedule},
		Columns:  []gb.Column{gb.TraitsColumn, gb.Arrears, gb.LateFeeFrom, gb.RemindedStep},
		Prepare:  prepare, Interest: interest, Decide: decide,
	})
}

func main() {}
