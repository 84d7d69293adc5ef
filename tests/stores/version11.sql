-- A store as scalectl wrote it at version 11: a study whose runs are done, two imported runs, and the books of a launch.
BEGIN TRANSACTION;
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	job TEXT NOT NULL, 
	job_kind TEXT DEFAULT 'trunk' NOT NULL, 
	slot TEXT NOT NULL, 
	slot_type TEXT DEFAULT 'cpu' NOT NULL, 
	host TEXT DEFAULT '' NOT NULL, 
	pid INTEGER, 
	device TEXT DEFAULT '' NOT NULL, 
	versions TEXT DEFAULT '' NOT NULL, 
	revision TEXT DEFAULT '' NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME, 
	state TEXT NOT NULL, 
	kind TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	first_step INTEGER, 
	step INTEGER, 
	flops FLOAT, 
	device_seconds FLOAT, 
	compile_seconds FLOAT, 
	compilations INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
INSERT INTO "attempts" VALUES(1,'0b56c521d4fc-0-16','trunk','here','cpu','vm',22001,'cpu','{"python": "3.11.7", "scalectl": "0.1.0", "jax": "0.10.2", "jaxlib": "0.10.2", "flax": "0.12.8", "optax": "0.2.8", "numpy": "2.4.6", "orbax-checkpoint": "0.12.8"}','38b90a1b7e9c3054f9c875b55466c5c84a8f18e2','2026-12-01 04:09:37.796337','2026-12-01 04:09:44.288445','done','','',0,16,10042368.0,4.33391729966388083994e-02,4.91464845799782779067e+00,2);
INSERT INTO "attempts" VALUES(2,'0b56c521d4fc-16-32','trunk','here','cpu','vm',22001,'cpu','{"python": "3.11.7", "scalectl": "0.1.0", "jax": "0.10.2", "jaxlib": "0.10.2", "flax": "0.12.8", "optax": "0.2.8", "numpy": "2.4.6", "orbax-checkpoint": "0.12.8"}','38b90a1b7e9c3054f9c875b55466c5c84a8f18e2','2026-12-01 04:09:44.290708','2026-12-01 04:09:44.359599','done','','',16,32,10042368.0,4.30571500328369438648e-03,0.0,0);
INSERT INTO "attempts" VALUES(3,'af69fe7c5d8f','cooldown','here','cpu','vm',22001,'cpu','{"python": "3.11.7", "scalectl": "0.1.0", "jax": "0.10.2", "jaxlib": "0.10.2", "flax": "0.12.8", "optax": "0.2.8", "numpy": "2.4.6", "orbax-checkpoint": "0.12.8"}','38b90a1b7e9c3054f9c875b55466c5c84a8f18e2','2026-12-01 04:09:44.360679','2026-12-01 04:09:44.533506','done','','',32,40,5021184.0,3.21292500302661210298e-03,1.03008915997634176164e-01,1);
INSERT INTO "attempts" VALUES(4,'e4290c2e2b7c','cooldown','here','cpu','vm',22001,'cpu','{"python": "3.11.7", "scalectl": "0.1.0", "jax": "0.10.2", "jaxlib": "0.10.2", "flax": "0.12.8", "optax": "0.2.8", "numpy": "2.4.6", "orbax-checkpoint": "0.12.8"}','38b90a1b7e9c3054f9c875b55466c5c84a8f18e2','2026-12-01 04:09:44.535250','2026-12-01 04:09:44.598917','done','','',16,20,2510592.0,2.47332999424543231725e-03,0.0,0);
CREATE TABLE checkpoints (
	path TEXT NOT NULL, 
	job TEXT NOT NULL, 
	trunk INTEGER NOT NULL, 
	run INTEGER, 
	step INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	kept BOOLEAN NOT NULL, 
	device_seconds FLOAT, 
	core_seconds FLOAT, 
	PRIMARY KEY (path), 
	FOREIGN KEY(job) REFERENCES jobs (id), 
	FOREIGN KEY(trunk) REFERENCES trunks (number), 
	FOREIGN KEY(run) REFERENCES runs (number)
);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/trunks/0b56c521d4fc/16/16','0b56c521d4fc-0-16',1,NULL,16,'6b1475710ec0d8a723f98bbd88be38c159dbe224d7ea47080f83360635eaa20a',1,4.33391729966388083994e-02,4.33391729966388083994e-02);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/trunks/0b56c521d4fc/32/32','0b56c521d4fc-16-32',1,NULL,32,'6a2fcbe1b2da760025d645e05f4333ab3b2fb1796cf1798b8cbaa9f0fcbeef54',1,0.0476448879999225,0.0476448879999225);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/runs/af69fe7c5d8f/40','af69fe7c5d8f',1,2,40,'23719a4a7bea6aaa15151c0935298b50447618fe76522b0d53f9e667771dc64e',1,5.08578130029491148889e-02,5.08578130029491148889e-02);
INSERT INTO "checkpoints" VALUES('/home/scalectl/study/artifacts/runs/e4290c2e2b7c/20','e4290c2e2b7c',1,1,20,'38aaf4d396a87861e924ea00ca41254b03cca3b95664f866634fa193e35b4d46',1,4.58125029908842407166e-02,4.58125029908842407166e-02);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	what TEXT NOT NULL, 
	run INTEGER, 
	job TEXT, 
	text TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (number), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
INSERT INTO "events" VALUES(1,'2026-12-01 04:09:37.699840','planned',NULL,NULL,'small: 2 of 2 runs to be done');
INSERT INTO "events" VALUES(2,'2026-12-01 04:09:37.706022','launched',NULL,NULL,'scalectl launch /home/scalectl/study/experiments.yaml');
INSERT INTO "events" VALUES(3,'2026-12-01 04:09:44.533712','done',2,'af69fe7c5d8f','pico-60-40 cooldown');
INSERT INTO "events" VALUES(4,'2026-12-01 04:09:44.599116','done',1,'e4290c2e2b7c','pico-60-20 cooldown');
INSERT INTO "events" VALUES(5,'2026-12-01 04:09:46.016378','imported',NULL,NULL,'2 runs of others.csv, 2 of them new');
CREATE TABLE exclusions (
	run INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (run), 
	FOREIGN KEY(run) REFERENCES runs (number)
);
CREATE TABLE fits (
	name TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	law TEXT DEFAULT '' NOT NULL, 
	metric TEXT DEFAULT '' NOT NULL, 
	compute TEXT DEFAULT '' NOT NULL, 
	unit TEXT DEFAULT '' NOT NULL, 
	scale FLOAT, 
	"offset" FLOAT, 
	exponent FLOAT, 
	floor FLOAT, 
	document TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE imported (
	run INTEGER NOT NULL, 
	metric INTEGER NOT NULL, 
	value FLOAT, 
	test_images INTEGER, 
	PRIMARY KEY (run, metric), 
	FOREIGN KEY(run) REFERENCES imports (number), 
	FOREIGN KEY(metric) REFERENCES metrics (id)
)
 WITHOUT ROWID

;
INSERT INTO "imported" VALUES(1,1,1.2,NULL);
INSERT INTO "imported" VALUES(1,4,0.5,NULL);
INSERT INTO "imported" VALUES(2,1,1.0,NULL);
INSERT INTO "imported" VALUES(2,4,0.4,NULL);
CREATE TABLE imports (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	study TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	excluded BOOLEAN DEFAULT '0' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	model TEXT, 
	width INTEGER, 
	depth INTEGER, 
	mlp_dim INTEGER, 
	num_heads INTEGER, 
	patch_size INTEGER, 
	head TEXT, 
	params INTEGER, 
	flops_per_image INTEGER, 
	data_name TEXT, 
	source TEXT, 
	data_size INTEGER, 
	held_out INTEGER, 
	subset_seed INTEGER, 
	shift INTEGER, 
	image_size INTEGER, 
	channels INTEGER, 
	num_classes INTEGER, 
	stratified BOOLEAN, 
	crop BOOLEAN, 
	flip BOOLEAN, 
	resize INTEGER, 
	content TEXT, 
	test_content TEXT, 
	orientation TEXT, 
	background TEXT, 
	levels TEXT, 
	black FLOAT, 
	white FLOAT, 
	cache INTEGER, 
	batch_size INTEGER, 
	precision TEXT, 
	positions TEXT, 
	layers TEXT, 
	remat TEXT, 
	microbatch INTEGER, 
	pre_logits TEXT, 
	head_bias FLOAT, 
	loss TEXT, 
	optimizer TEXT, 
	lr FLOAT, 
	clip_norm FLOAT, 
	weight_decay_head FLOAT, 
	weight_decay_body FLOAT, 
	schedule TEXT, 
	warmup INTEGER, 
	timescale INTEGER, 
	seed INTEGER, 
	steps INTEGER, 
	cooldown INTEGER, 
	images_seen INTEGER, 
	flops FLOAT, 
	marginal_flops FLOAT, 
	device_seconds FLOAT, 
	core_days FLOAT, 
	labels TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "imports" VALUES(1,'4ab6e6d84ba1','a','others','others.csv','2026-12-01 04:09:46.012597',0,'','a',NULL,NULL,NULL,NULL,NULL,NULL,1000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,5000,10000000000.0,NULL,NULL,NULL,'{}');
INSERT INTO "imports" VALUES(2,'ab3563c2a163','b','others','others.csv','2026-12-01 04:09:46.012597',0,'','b',NULL,NULL,NULL,NULL,NULL,NULL,2000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,10000,40000000000.0,NULL,NULL,NULL,'{}');
CREATE TABLE jobs (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	study INTEGER NOT NULL, 
	trunk INTEGER NOT NULL, 
	run INTEGER, 
	kind TEXT DEFAULT 'trunk' NOT NULL, 
	run_name TEXT DEFAULT '' NOT NULL, 
	start INTEGER NOT NULL, 
	stop INTEGER NOT NULL, 
	folder TEXT NOT NULL, 
	shape TEXT NOT NULL, 
	flops FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	state TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study) REFERENCES studies (number), 
	FOREIGN KEY(trunk) REFERENCES trunks (number), 
	FOREIGN KEY(run) REFERENCES runs (number)
);
INSERT INTO "jobs" VALUES('0b56c521d4fc-0-16','pico-60 trunk 0 to 16',1,1,NULL,'trunk','pico-60',0,16,'/home/scalectl/study/artifacts/trunks/0b56c521d4fc/16','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',10042368.0,0.0005021184,'done');
INSERT INTO "jobs" VALUES('0b56c521d4fc-16-32','pico-60 trunk 16 to 32',1,1,NULL,'trunk','pico-60',16,32,'/home/scalectl/study/artifacts/trunks/0b56c521d4fc/32','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',10042368.0,0.0005021184,'done');
INSERT INTO "jobs" VALUES('e4290c2e2b7c','pico-60-20 cooldown',1,1,1,'cooldown','pico-60-20',16,20,'/home/scalectl/study/artifacts/runs/e4290c2e2b7c','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',2510592.0,0.0001255296,'done');
INSERT INTO "jobs" VALUES('af69fe7c5d8f','pico-60-40 cooldown',1,1,2,'cooldown','pico-60-40',32,40,'/home/scalectl/study/artifacts/runs/af69fe7c5d8f','8x1x32h2p4-map-sigmoid-adafactor-float32-8-10-b16',5021184.0,0.0002510592,'done');
CREATE TABLE launches (
	launch INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	seconds_left FLOAT, 
	PRIMARY KEY (launch)
);
INSERT INTO "launches" VALUES(1,'2026-12-01 04:09:44.600280',0.0);
CREATE TABLE ledger (
	launch INTEGER NOT NULL, 
	slot TEXT NOT NULL, 
	started DATETIME NOT NULL, 
	seconds FLOAT NOT NULL, 
	acquire_seconds FLOAT NOT NULL, 
	compile_seconds FLOAT NOT NULL, 
	step_seconds FLOAT NOT NULL, 
	input_seconds FLOAT DEFAULT '0' NOT NULL, 
	evaluate_seconds FLOAT NOT NULL, 
	checkpoint_seconds FLOAT NOT NULL, 
	lost_seconds FLOAT NOT NULL, 
	idle_seconds FLOAT NOT NULL, 
	PRIMARY KEY (launch, slot)
);
INSERT INTO "ledger" VALUES(1,'here','2026-12-01 04:09:37.706401',6.89365086999896448105e+00,1.56894276499224361032e+00,5.01765737399546196684e+00,5.3280237007129471749e-02,0.0,2.0466112000576686114e-02,1.38327380998816806823e-01,0.0,9.49770010047359392046e-02);
CREATE TABLE measurements (
	run INTEGER NOT NULL, 
	metric INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	value FLOAT, 
	settings TEXT DEFAULT '' NOT NULL, 
	test_images INTEGER, 
	PRIMARY KEY (run, metric, step), 
	FOREIGN KEY(run) REFERENCES runs (number), 
	FOREIGN KEY(metric) REFERENCES metrics (id)
)
 WITHOUT ROWID

;
INSERT INTO "measurements" VALUES(1,1,20,3.28618188500404340146e+00,'{}',360);
INSERT INTO "measurements" VALUES(1,2,20,9.41666666666666651863e-01,'{}',360);
INSERT INTO "measurements" VALUES(1,3,20,8.277777777777777235e-01,'{"l2":1024.0,"seeds":2}',360);
INSERT INTO "measurements" VALUES(2,1,40,3.4006331152386133354e+00,'{}',360);
INSERT INTO "measurements" VALUES(2,2,40,9.41666666666666651863e-01,'{}',360);
INSERT INTO "measurements" VALUES(2,3,40,8.19444444444444419772e-01,'{"l2":1024.0,"seeds":2}',360);
CREATE TABLE members (
	study INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	model TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (study, run), 
	FOREIGN KEY(study) REFERENCES studies (number), 
	FOREIGN KEY(run) REFERENCES runs (number)
)
 WITHOUT ROWID

;
INSERT INTO "members" VALUES(1,1,'pico');
INSERT INTO "members" VALUES(1,2,'pico');
CREATE TABLE metrics (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "metrics" VALUES(1,'upstream/loss');
INSERT INTO "metrics" VALUES(2,'upstream/error');
INSERT INTO "metrics" VALUES(3,'fewshot/digits/1shot/error');
INSERT INTO "metrics" VALUES(4,'error');
CREATE TABLE progress (
	trunk INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	loss FLOAT, 
	learning_rate FLOAT, 
	grad_norm FLOAT, 
	images_seen INTEGER NOT NULL, 
	flops FLOAT NOT NULL, 
	device_seconds FLOAT, 
	images_per_second FLOAT, 
	flops_per_second FLOAT, 
	mfu FLOAT, 
	PRIMARY KEY (trunk, run, step), 
	FOREIGN KEY(trunk) REFERENCES trunks (number)
)
 WITHOUT ROWID

;
INSERT INTO "progress" VALUES(1,0,1,3.25568723678588867187e+00,0.000750000006519258,5.12443304061889648437e-01,16,627648.0,2.70869831228992552496e-03,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,2,3.25571012496948242187e+00,1.50000001303851604461e-03,4.31403368711471557617e-01,32,1255296.0,5.41739662457985104992e-03,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,3,3.2552204132080078125e+00,2.24999990314245223999e-03,5.75955212116241455078e-01,48,1882944.0,8.12609493686977657489e-03,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,4,3.25435209274292,3.00000002607703208923e-03,5.72750031948089599609e-01,64,2510592.0,1.08347932491597020998e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,5,3.25259685516357421875e+00,3.00000002607703208923e-03,6.39834582805633544921e-01,80,3138240.0,1.35434915614496276248e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,6,3.25330185890197753906e+00,2.86038755439221858978e-03,6.23036921024322509765e-01,96,3765888.0,1.62521898737395531497e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,7,3.25060129165649414062e+00,2.73861270397901535034e-03,5.60436367988586425781e-01,112,4393536.0,1.89608881860294786747e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,8,3.24672651290893554687e+00,2.63117416761815547943e-03,0.738789439201355,128,5021184.0,2.16695864983194041997e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,9,3.24457573890686035156e+00,2.53546284511685371398e-03,6.88768327236175537109e-01,144,5648832.0,2.43782848106093297246e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,10,3.23496580123901367187e+00,2.44948966428637504577e-03,7.80423343181610107421e-01,160,6276480.0,2.70869831228992552496e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,11,3.24443817138671875e+00,2.37170839682221412658e-03,7.20362484455108642578e-01,176,6904128.0,2.97956814351891807746e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,12,3.21883487701416,2.30089505203068256378e-03,1.1150366067886352539e+00,192,7531776.0,3.25043797474791062995e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,13,3.22093605995178222656e+00,2.236068015918135643e-03,8.68639588356018066406e-01,208,8159424.0,3.52130780597690318245e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,14,3.24223423004150390625e+00,2.1764289122074842453e-03,6.96081042289733886718e-01,224,8787072.0,3.79217763720589573495e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,15,3.22940587997436523437e+00,0.00212132022716105,1.1769466400146484375e+00,240,9414720.0,4.06304746843488828744e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,16,3.20428228378295898437e+00,2.07019667141139507293e-03,1.14175021648406982421e+00,256,10042368.0,4.33391729966388083994e-02,5.90689628571948560425e+03,231715727.496204,NULL);
INSERT INTO "progress" VALUES(1,0,17,3.17724013328552246093e+00,2.02259956859052181243e-03,1.20999073982238769531e+00,272,10670016.0,4.36082801843440392985e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,18,3.24997854232788085937e+00,0.00197814148850739,1.03351926803588867187e+00,288,11297664.0,4.38773873720492701977e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,19,3.20234012603759765625e+00,1.93649157881736755371e-03,1.41116869449615478515e+00,304,11925312.0,0.0441464945597545,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,20,3.20303392410278320312e+00,1.89736660104244947433e-03,1.14780724048614501953e+00,320,12552960.0,4.4415601747459731996e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,21,3.13084745407104492187e+00,1.86052115168422460556e-03,1.30016481876373291015e+00,336,13180608.0,4.46847089351649628952e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,22,3.17175006866455078125e+00,1.82574184145778417587e-03,1.01180338859558105468e+00,352,13808256.0,4.49538161228701937943e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,23,3.05479693412780761718e+00,1.7928428715094923973e-03,2.05367779731750488281e+00,368,14435904.0,4.52229233105754246935e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,24,3.09768533706665039062e+00,1.76166056189686059951e-03,1.49866747856140136718e+00,384,15063552.0,4.54920304982806555926e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,25,3.29620695114135742187e+00,1.7320507904514670372e-03,1.50046277046203613281e+00,400,15691200.0,4.57611376859858864918e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,26,3.21657848358154296875e+00,1.70388550031930208206e-03,1.42458081245422363281e+00,416,16318848.0,4.60302448736911173909e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,27,3.138881683349609375e+00,1.67705107014626264572e-03,1.71111333370208740234e+00,432,16946496.0,4.62993520613963482901e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,28,3.09841632843017578125e+00,1.65144563652575016021e-03,2.46790838241577148437e+00,448,17574144.0,4.65684592491015791893e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,29,3.13915967941284179687e+00,1.62697851192206144332e-03,3.28916406631469726562e+00,464,18201792.0,4.68375664368068100884e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,30,3.2240695953369140625e+00,1.60356739070266485214e-03,2.33928084373474121093e+00,480,18829440.0,4.71066736245120409876e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,31,3.26796245574951171875e+00,1.58113881479948759078e-03,2.05103039741516113281e+00,496,19457088.0,4.73757808122172718867e-02,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,0,32,3.22724509239196777343e+00,1.55962572898715734481e-03,1.34579098224639892578e+00,512,20084736.0,0.0476448879999225,5.94558626859337236965e+04,2.33233458144380807882e+09,NULL);
INSERT INTO "progress" VALUES(1,1,17,3.17724013328552246093e+00,2.02259956859052181243e-03,1.20999073982238769531e+00,272,10670016.0,4.39575054952001664787e-02,2.58760457152524977575e+04,1.01506552131792497639e+09,NULL);
INSERT INTO "progress" VALUES(1,1,18,3.24997854232788085937e+00,1.48360617458820343017e-03,1.03351926803588867187e+00,288,11297664.0,4.4575837993761524558e-02,2.58760457152524977575e+04,1.01506552131792497639e+09,NULL);
INSERT INTO "progress" VALUES(1,1,19,3.20283007621765136718e+00,9.68245789408683776855e-04,1.395984649658203125e+00,304,11925312.0,4.51941704923228826373e-02,2.58760457152524977575e+04,1.01506552131792497639e+09,NULL);
INSERT INTO "progress" VALUES(1,1,20,3.20534276962280273437e+00,4.74341650260612368583e-04,1.118144989013671875e+00,320,12552960.0,4.58125029908842407166e-02,2.58760457152524977575e+04,1.01506552131792497639e+09,NULL);
INSERT INTO "progress" VALUES(1,2,33,3.12704610824584960937e+00,1.53896748088300228118e-03,1.5785795450210571289e+00,528,20712384.0,4.80465036253008292987e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
INSERT INTO "progress" VALUES(1,2,34,2.95419549942016601562e+00,1.3292203657329082489e-03,2.36662173271179199218e+00,544,21340032.0,4.84481192506791558116e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
INSERT INTO "progress" VALUES(1,2,35,3.18030023574829101562e+00,1.12499995157122611999e-03,2.50992703437805175781e+00,560,21967680.0,4.88497348760574823245e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
INSERT INTO "progress" VALUES(1,2,36,3.1821842193603515625e+00,9.25996573641896247863e-04,1.72097802162170410156e+00,576,22595328.0,4.92513505014358088374e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
INSERT INTO "progress" VALUES(1,2,37,3.04465985298156738281e+00,7.31925072614103555679e-04,2.57452106475830078125e+00,592,23222976.0,4.96529661268141353502e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
INSERT INTO "progress" VALUES(1,2,38,3.27008485794067382812e+00,0.000542523164767772,1.57949042320251464843e+00,608,23850624.0,5.00545817521924618631e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
INSERT INTO "progress" VALUES(1,2,39,3.18845081329345703125e+00,3.57548444299027323722e-04,1.6071529388427734375e+00,624,24478272.0,5.0456197377570788376e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
INSERT INTO "progress" VALUES(1,2,40,3.09134435653686523437e+00,1.7677669529803097248e-04,1.70956873893737792968e+00,640,25105920.0,5.08578130029491148889e-02,3.98390873983745477746e+04,1.56280772046343660358e+09,NULL);
CREATE TABLE runs (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	study INTEGER NOT NULL, 
	trunk INTEGER NOT NULL, 
	listed BOOLEAN NOT NULL, 
	state TEXT NOT NULL, 
	kind TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	excluded BOOLEAN DEFAULT '0' NOT NULL, 
	model TEXT NOT NULL, 
	width INTEGER NOT NULL, 
	depth INTEGER NOT NULL, 
	mlp_dim INTEGER NOT NULL, 
	num_heads INTEGER NOT NULL, 
	patch_size INTEGER NOT NULL, 
	head TEXT NOT NULL, 
	params INTEGER NOT NULL, 
	flops_per_image INTEGER NOT NULL, 
	data_name TEXT DEFAULT '' NOT NULL, 
	source TEXT NOT NULL, 
	data_size INTEGER NOT NULL, 
	held_out INTEGER NOT NULL, 
	subset_seed INTEGER NOT NULL, 
	shift INTEGER NOT NULL, 
	image_size INTEGER NOT NULL, 
	channels INTEGER NOT NULL, 
	num_classes INTEGER NOT NULL, 
	stratified BOOLEAN DEFAULT '0' NOT NULL, 
	crop BOOLEAN DEFAULT '0' NOT NULL, 
	flip BOOLEAN DEFAULT '0' NOT NULL, 
	resize INTEGER DEFAULT '0' NOT NULL, 
	content TEXT DEFAULT '' NOT NULL, 
	test_content TEXT DEFAULT '' NOT NULL, 
	orientation TEXT DEFAULT 'kept' NOT NULL, 
	background TEXT DEFAULT 'none' NOT NULL, 
	levels TEXT DEFAULT 'cut' NOT NULL, 
	black FLOAT DEFAULT '0.0' NOT NULL, 
	white FLOAT DEFAULT '0.0' NOT NULL, 
	cache INTEGER DEFAULT '0' NOT NULL, 
	batch_size INTEGER NOT NULL, 
	precision TEXT NOT NULL, 
	positions TEXT DEFAULT 'learned' NOT NULL, 
	layers TEXT DEFAULT 'loop' NOT NULL, 
	remat TEXT DEFAULT 'none' NOT NULL, 
	microbatch INTEGER DEFAULT '0' NOT NULL, 
	pre_logits TEXT DEFAULT 'none' NOT NULL, 
	head_bias FLOAT NOT NULL, 
	loss TEXT NOT NULL, 
	optimizer TEXT NOT NULL, 
	lr FLOAT NOT NULL, 
	clip_norm FLOAT NOT NULL, 
	weight_decay_head FLOAT NOT NULL, 
	weight_decay_body FLOAT NOT NULL, 
	schedule TEXT NOT NULL, 
	warmup INTEGER NOT NULL, 
	timescale INTEGER NOT NULL, 
	seed INTEGER NOT NULL, 
	steps INTEGER NOT NULL, 
	cooldown INTEGER NOT NULL, 
	images_seen INTEGER NOT NULL, 
	flops FLOAT NOT NULL, 
	marginal_flops FLOAT NOT NULL, 
	devices FLOAT DEFAULT '1' NOT NULL, 
	device_seconds FLOAT, 
	core_days FLOAT GENERATED ALWAYS AS (device_seconds * devices / 86400.0) VIRTUAL, 
	images_per_second FLOAT GENERATED ALWAYS AS (images_seen / device_seconds) VIRTUAL, 
	flops_per_second FLOAT GENERATED ALWAYS AS (flops / device_seconds) VIRTUAL, 
	mfu FLOAT, 
	digest TEXT DEFAULT '' NOT NULL, 
	spec TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id), 
	FOREIGN KEY(study) REFERENCES studies (number), 
	FOREIGN KEY(trunk) REFERENCES trunks (number)
);
INSERT INTO "runs" VALUES(1,'e4290c2e2b7c','pico-60-20',1,1,1,'done','','',0,'pico',8,1,32,2,4,'map',2010,13076,'digits','digits',60,360,0,1,8,1,10,0,0,0,0,'','','kept','none','cut',0.0,0.0,0,16,'float32','learned','loop','none',0,'none',-2.30258509299404590109e+00,'sigmoid','adafactor',0.003,1.0,3.0,0.03,'rsqrt',4,10,0,20,4,320,12552960.0,12552960.0,1.0,4.58125029908842407166e-02,NULL,'38aaf4d396a87861e924ea00ca41254b03cca3b95664f866634fa193e35b4d46','{"cooldown":4,"steps":20,"trunk":{"data":{"background":"none","black":0.0,"cache":0,"cached":0,"channels":1,"content":"","crop":false,"flip":false,"held_out":360,"image_size":8,"left_open":[],"levels":"cut","max_pixels":100000000,"name":"digits","num_classes":10,"orientation":"kept","path":"","resize":0,"selection":{"classes":[],"image":"","label":"","labels":"","purpose":"train"},"shift":1,"size":60,"source":"digits","stratified":false,"subset_seed":0,"test_content":"","test_path":"","test_selection":{"classes":[],"image":"","label":"","labels":"","purpose":"test"},"white":0.0},"model":{"depth":1,"mlp_dim":32,"num_heads":2,"patch_size":4,"width":8},"recipe":{"batch_size":16,"clip_norm":1.0,"head":"map","head_bias":-2.302585092994046,"layers":"loop","loss":"sigmoid","lr":0.003,"microbatch":0,"optimizer":"adafactor","positions":"learned","pre_logits":"none","precision":"float32","remat":"none","schedule":"rsqrt","timescale":10,"warmup":4,"weight_decay_body":0.03,"weight_decay_head":3.0},"seed":0}}');
INSERT INTO "runs" VALUES(2,'af69fe7c5d8f','pico-60-40',1,1,1,'done','','',0,'pico',8,1,32,2,4,'map',2010,13076,'digits','digits',60,360,0,1,8,1,10,0,0,0,0,'','','kept','none','cut',0.0,0.0,0,16,'float32','learned','loop','none',0,'none',-2.30258509299404590109e+00,'sigmoid','adafactor',0.003,1.0,3.0,0.03,'rsqrt',4,10,0,40,8,640,25105920.0,15063552.0,1.0,5.08578130029491148889e-02,NULL,'23719a4a7bea6aaa15151c0935298b50447618fe76522b0d53f9e667771dc64e','{"cooldown":8,"steps":40,"trunk":{"data":{"background":"none","black":0.0,"cache":0,"cached":0,"channels":1,"content":"","crop":false,"flip":false,"held_out":360,"image_size":8,"left_open":[],"levels":"cut","max_pixels":100000000,"name":"digits","num_classes":10,"orientation":"kept","path":"","resize":0,"selection":{"classes":[],"image":"","label":"","labels":"","purpose":"train"},"shift":1,"size":60,"source":"digits","stratified":false,"subset_seed":0,"test_content":"","test_path":"","test_selection":{"classes":[],"image":"","label":"","labels":"","purpose":"test"},"white":0.0},"model":{"depth":1,"mlp_dim":32,"num_heads":2,"patch_size":4,"width":8},"recipe":{"batch_size":16,"clip_norm":1.0,"head":"map","head_bias":-2.302585092994046,"layers":"loop","loss":"sigmoid","lr":0.003,"microbatch":0,"optimizer":"adafactor","positions":"learned","pre_logits":"none","precision":"float32","remat":"none","schedule":"rsqrt","timescale":10,"warmup":4,"weight_decay_body":0.03,"weight_decay_head":3.0},"seed":0}}');
CREATE TABLE studies (
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	planned DATETIME NOT NULL, 
	document TEXT NOT NULL, 
	fits TEXT DEFAULT '{}' NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (name)
);
INSERT INTO "studies" VALUES(1,'small','2026-12-01 04:09:37.651918','version: 1
name: small
store: results.db
artifacts: ./artifacts
models:
  pico: {width: 8, depth: 1, num_heads: 2, patch_size: 4}
data:
  source: digits
  sizes: [60]
  augment: {shift: 1}
train:
  batch_size: 16
  precision: float32
  head: map
  loss: sigmoid
  optimizer: {name: adafactor, lr: 3e-3, clip_norm: 1.0, weight_decay: {head: 3.0, body: 0.03}}
  schedule: {name: rsqrt, warmup: 4, timescale: 10, cooldown: 20%}
  checkpoint_every: 1000
budgets: {steps: [20, 40]}
grid: {seeds: [0]}
evals:
  upstream: {metrics: [loss, error]}
  fewshot: {datasets: [digits], shots: [1], seeds: 2}
','{}');
CREATE TABLE trunks (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "trunks" VALUES(1,'0b56c521d4fc','{"data":{"background":"none","black":0.0,"cache":0,"cached":0,"channels":1,"content":"","crop":false,"flip":false,"held_out":360,"image_size":8,"left_open":[],"levels":"cut","max_pixels":100000000,"name":"digits","num_classes":10,"orientation":"kept","path":"","resize":0,"selection":{"classes":[],"image":"","label":"","labels":"","purpose":"train"},"shift":1,"size":60,"source":"digits","stratified":false,"subset_seed":0,"test_content":"","test_path":"","test_selection":{"classes":[],"image":"","label":"","labels":"","purpose":"test"},"white":0.0},"model":{"depth":1,"mlp_dim":32,"num_heads":2,"patch_size":4,"width":8},"recipe":{"batch_size":16,"clip_norm":1.0,"head":"map","head_bias":-2.302585092994046,"layers":"loop","loss":"sigmoid","lr":0.003,"microbatch":0,"optimizer":"adafactor","positions":"learned","pre_logits":"none","precision":"float32","remat":"none","schedule":"rsqrt","timescale":10,"warmup":4,"weight_decay_body":0.03,"weight_decay_head":3.0},"seed":0}');
CREATE INDEX ix_runs_trunk ON runs (trunk);
CREATE INDEX ix_runs_study ON runs (study);
CREATE INDEX ix_members_run ON members (run);
CREATE INDEX ix_attempts_job ON attempts (job);
CREATE INDEX ix_checkpoints_trunk ON checkpoints (trunk);
CREATE INDEX ix_checkpoints_job ON checkpoints (job);
CREATE VIEW points AS SELECT runs.id AS run, runs.name, studies.name AS study, runs.state, runs.excluded, (SELECT imports.origin 
FROM imports 
WHERE 0 = 1) AS origin, runs.model, runs.width, runs.depth, runs.mlp_dim, runs.num_heads, runs.patch_size, runs.head, runs.params, runs.flops_per_image, runs.data_name, runs.source, runs.data_size, runs.held_out, runs.subset_seed, runs.shift, runs.image_size, runs.channels, runs.num_classes, runs.stratified, runs.crop, runs.flip, runs.resize, runs.content, runs.test_content, runs.orientation, runs.background, runs.levels, runs.black, runs.white, runs.cache, runs.batch_size, runs.precision, runs.positions, runs.layers, runs.remat, runs.microbatch, runs.pre_logits, runs.head_bias, runs.loss, runs.optimizer, runs.lr, runs.clip_norm, runs.weight_decay_head, runs.weight_decay_body, runs.schedule, runs.warmup, runs.timescale, runs.seed, runs.steps, runs.cooldown, runs.images_seen, runs.flops, runs.marginal_flops, runs.device_seconds, runs.core_days, runs.images_per_second, runs.flops_per_second, runs.mfu, (SELECT measurements.test_images 
FROM metrics LEFT OUTER JOIN measurements ON measurements.run = runs.number AND measurements.metric = metrics.id AND measurements.step = runs.steps GROUP BY measurements.run 
HAVING min(measurements.test_images) = max(measurements.test_images) AND count(measurements.test_images) = count(*)) AS test_images, runs.digest, (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 1 AND measurements.step = runs.steps) AS "upstream/loss", (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 2 AND measurements.step = runs.steps) AS "upstream/error", (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 3 AND measurements.step = runs.steps) AS "fewshot/digits/1shot/error", (SELECT measurements.value 
FROM measurements 
WHERE measurements.run = runs.number AND measurements.metric = 4 AND measurements.step = runs.steps) AS error 
FROM runs JOIN studies ON studies.number = runs.study UNION ALL SELECT imports.id AS run, imports.name, imports.study, 'done' AS state, imports.excluded, imports.origin, imports.model, imports.width, imports.depth, imports.mlp_dim, imports.num_heads, imports.patch_size, imports.head, imports.params, imports.flops_per_image, imports.data_name, imports.source, imports.data_size, imports.held_out, imports.subset_seed, imports.shift, imports.image_size, imports.channels, imports.num_classes, imports.stratified, imports.crop, imports.flip, imports.resize, imports.content, imports.test_content, imports.orientation, imports.background, imports.levels, imports.black, imports.white, imports.cache, imports.batch_size, imports.precision, imports.positions, imports.layers, imports.remat, imports.microbatch, imports.pre_logits, imports.head_bias, imports.loss, imports.optimizer, imports.lr, imports.clip_norm, imports.weight_decay_head, imports.weight_decay_body, imports.schedule, imports.warmup, imports.timescale, imports.seed, imports.steps, imports.cooldown, imports.images_seen, imports.flops, imports.marginal_flops, imports.device_seconds, imports.core_days, NULL AS images_per_second, NULL AS flops_per_second, NULL AS mfu, (SELECT imported.test_images 
FROM metrics LEFT OUTER JOIN imported ON imported.run = imports.number AND imported.metric = metrics.id GROUP BY imported.run 
HAVING min(imported.test_images) = max(imported.test_images) AND count(imported.test_images) = count(*)) AS test_images, NULL AS digest, (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 1) AS "upstream/loss", (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 2) AS "upstream/error", (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 3) AS "fewshot/digits/1shot/error", (SELECT imported.value 
FROM imported 
WHERE imported.run = imports.number AND imported.metric = 4) AS error 
FROM imports;
CREATE VIEW columns AS SELECT 'run' AS name, 'run' AS role UNION ALL SELECT 'name' AS name, 'run' AS role UNION ALL SELECT 'study' AS name, 'run' AS role UNION ALL SELECT 'state' AS name, 'run' AS role UNION ALL SELECT 'excluded' AS name, 'run' AS role UNION ALL SELECT 'steps' AS name, 'run' AS role UNION ALL SELECT 'cooldown' AS name, 'run' AS role UNION ALL SELECT 'images_seen' AS name, 'run' AS role UNION ALL SELECT 'flops' AS name, 'run' AS role UNION ALL SELECT 'marginal_flops' AS name, 'run' AS role UNION ALL SELECT 'device_seconds' AS name, 'run' AS role UNION ALL SELECT 'core_days' AS name, 'run' AS role UNION ALL SELECT 'images_per_second' AS name, 'run' AS role UNION ALL SELECT 'flops_per_second' AS name, 'run' AS role UNION ALL SELECT 'mfu' AS name, 'run' AS role UNION ALL SELECT 'test_images' AS name, 'run' AS role UNION ALL SELECT 'digest' AS name, 'run' AS role UNION ALL SELECT 'origin' AS name, 'trunk' AS role UNION ALL SELECT 'model' AS name, 'trunk' AS role UNION ALL SELECT 'width' AS name, 'trunk' AS role UNION ALL SELECT 'depth' AS name, 'trunk' AS role UNION ALL SELECT 'mlp_dim' AS name, 'trunk' AS role UNION ALL SELECT 'num_heads' AS name, 'trunk' AS role UNION ALL SELECT 'patch_size' AS name, 'trunk' AS role UNION ALL SELECT 'head' AS name, 'trunk' AS role UNION ALL SELECT 'params' AS name, 'trunk' AS role UNION ALL SELECT 'flops_per_image' AS name, 'trunk' AS role UNION ALL SELECT 'data_name' AS name, 'trunk' AS role UNION ALL SELECT 'source' AS name, 'trunk' AS role UNION ALL SELECT 'data_size' AS name, 'trunk' AS role UNION ALL SELECT 'held_out' AS name, 'trunk' AS role UNION ALL SELECT 'subset_seed' AS name, 'trunk' AS role UNION ALL SELECT 'shift' AS name, 'trunk' AS role UNION ALL SELECT 'image_size' AS name, 'trunk' AS role UNION ALL SELECT 'channels' AS name, 'trunk' AS role UNION ALL SELECT 'num_classes' AS name, 'trunk' AS role UNION ALL SELECT 'stratified' AS name, 'trunk' AS role UNION ALL SELECT 'crop' AS name, 'trunk' AS role UNION ALL SELECT 'flip' AS name, 'trunk' AS role UNION ALL SELECT 'resize' AS name, 'trunk' AS role UNION ALL SELECT 'content' AS name, 'trunk' AS role UNION ALL SELECT 'test_content' AS name, 'trunk' AS role UNION ALL SELECT 'orientation' AS name, 'trunk' AS role UNION ALL SELECT 'background' AS name, 'trunk' AS role UNION ALL SELECT 'levels' AS name, 'trunk' AS role UNION ALL SELECT 'black' AS name, 'trunk' AS role UNION ALL SELECT 'white' AS name, 'trunk' AS role UNION ALL SELECT 'cache' AS name, 'trunk' AS role UNION ALL SELECT 'batch_size' AS name, 'trunk' AS role UNION ALL SELECT 'precision' AS name, 'trunk' AS role UNION ALL SELECT 'positions' AS name, 'trunk' AS role UNION ALL SELECT 'layers' AS name, 'trunk' AS role UNION ALL SELECT 'remat' AS name, 'trunk' AS role UNION ALL SELECT 'microbatch' AS name, 'trunk' AS role UNION ALL SELECT 'pre_logits' AS name, 'trunk' AS role UNION ALL SELECT 'head_bias' AS name, 'trunk' AS role UNION ALL SELECT 'loss' AS name, 'trunk' AS role UNION ALL SELECT 'optimizer' AS name, 'trunk' AS role UNION ALL SELECT 'lr' AS name, 'trunk' AS role UNION ALL SELECT 'clip_norm' AS name, 'trunk' AS role UNION ALL SELECT 'weight_decay_head' AS name, 'trunk' AS role UNION ALL SELECT 'weight_decay_body' AS name, 'trunk' AS role UNION ALL SELECT 'schedule' AS name, 'trunk' AS role UNION ALL SELECT 'warmup' AS name, 'trunk' AS role UNION ALL SELECT 'timescale' AS name, 'trunk' AS role UNION ALL SELECT 'seed' AS name, 'trunk' AS role UNION ALL SELECT metrics.name, 'metric' AS role 
FROM metrics;
CREATE VIEW curves AS SELECT runs.id AS run, progress.step, progress.loss, progress.learning_rate, progress.grad_norm, progress.images_seen, progress.flops, progress.device_seconds, progress.images_per_second, progress.flops_per_second, progress.mfu 
FROM runs JOIN progress ON progress.trunk = runs.trunk AND progress.run = 0 AND progress.step <= runs.steps - runs.cooldown UNION ALL SELECT runs.id AS run, progress.step, progress.loss, progress.learning_rate, progress.grad_norm, progress.images_seen, progress.flops, progress.device_seconds, progress.images_per_second, progress.flops_per_second, progress.mfu 
FROM runs JOIN progress ON progress.trunk = runs.trunk AND progress.run = runs.number;
CREATE VIEW observations AS SELECT runs.id AS run, runs.name, studies.name AS study, runs.state, runs.excluded, (SELECT imports.origin 
FROM imports 
WHERE 0 = 1) AS origin, runs.model, runs.data_size, runs.steps, runs.seed, runs.images_seen, runs.flops, metrics.name AS metric, measurements.step, measurements.value, measurements.test_images, measurements.settings 
FROM runs JOIN studies ON studies.number = runs.study JOIN measurements ON measurements.run = runs.number JOIN metrics ON metrics.id = measurements.metric UNION ALL SELECT imports.id AS run, imports.name, imports.study, 'done' AS state, imports.excluded, imports.origin, imports.model, imports.data_size, imports.steps, imports.seed, imports.images_seen, imports.flops, metrics.name AS metric, imports.steps AS step, imported.value, imported.test_images, '' AS settings 
FROM imports JOIN imported ON imported.run = imports.number JOIN metrics ON metrics.id = imported.metric;
COMMIT;
