// 电费催缴 · Reminds customers of an unpaid bill, once, some days before the late fee starts.
package main

import gb "gridbell.sdk"

// 地市公司可以改的参数：名称、默认值、范围、标题、说明。What an office may change.
type parameters struct {
	Days    int64  `name:"days" default:"3" least:"1" most:"60" title:"提前天数" about:"违约金起算日之前多少天开始提醒。"`
	Minimum gb.Fen `name:"minimum" default:"100" least:"1" most:"100000000" title:"最低欠费金额（分）" about:"欠费少于此数不提醒。"`
}

// 能说什么，各带最多两个数；为什么说、为什么不说，一种情形一条；走哪条通道。What it can say, why, and by which route.
var (
	reminder = gb.NewNotice("reminder", "欠费提醒", gb.FenArg("amount"), gb.DateArg("late_fee_from"))

	nothingOwed = gb.NewReason("nothing-owed", "没有欠费，或欠费太少")
	alreadySaid = gb.NewReason("already-said", "已经提醒过")
	tooEarly    = gb.NewReason("too-early", "还没到提醒的日子")
	tooLate     = gb.NewReason("too-late", "违约金已经起算")
	dueSoon     = gb.NewReason("due-soon", "临近违约金起算日")

	_ = gb.NewRoute("sms")
)

// What the rule needs of the run and the parameters, computed once for each batch.
type rule struct {
	today, until gb.Date
	minimum      gb.Fen
}

func prepare(run *gb.Run, p *parameters) (rule, error) {
	today := run.Today()
	return rule{today, today.Plus(p.Days), p.Minimum}, nil
}

// 可能提醒谁。Whom decide could choose at all; whoever lies outside must get no notice.
func interest(r *rule) gb.Interest {
	return gb.Whoever(gb.Between(gb.LateFeeFrom, r.today+1, r.until), gb.AtLeast(gb.Arrears, r.minimum), gb.AtMost(gb.RemindedStep, 0))
}

func decide(r *rule, c gb.Customer) gb.Answer {
	arrears, due := c.Arrears(), c.LateFeeFrom()
	switch {
	case arrears < r.minimum || due == gb.NoDate:
		return nothingOwed.Skip()
	case c.RemindedStep() > 0:
		return alreadySaid.Skip()
	case due > r.until:
		return tooEarly.Skip()
	case due <= r.today:
		return tooLate.Skip()
	}
	// 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
	return reminder.Say(int64(arrears), int64(due)).Expires(due.At(0, 0)).Because(dueSoon)
}

func init() {
	gb.Export(gb.Policy[rule, parameters]{
		Name: "my-policy", Version: "0.1.0", Topic: "arrears-reminder", About: "电费催缴：在违约金起算日之前若干天提醒一次欠费客户。",
		Triggers: []gb.Trigger{gb.OnSchedule},
		Columns:  []gb.Column{gb.Arrears, gb.LateFeeFrom, gb.RemindedStep},
		Prepare:  prepare, Interest: interest, Decide: decide,
	})
}

func main() {}
